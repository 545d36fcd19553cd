// The real Go libraries behind Helm 4.3.1 as a process that answers questions: one JSON document a line on standard input,
// one answer a line on standard output, in order. It ends with its input.
//
// What it answers is Helm's own code: nothing is computed here that Helm does not compute.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime/debug"
)

// The largest question; a line is held in memory.
const maxLine = 64 << 20

// Bytes of stack: enough for a thousand includes in each other.
const maxStack = 64 << 20

// A question is answered by the operation that `op` names; each operation reads its own fields.
type operation func(question []byte) (any, error)

var operations = map[string]operation{
	"template":  answer(templateChart),
	"values":    answer(coalesceValues),
	"strvals":   answer(parseStrvals),
	"yaml":      answer(readYAML),
	"emit":      answer(emitYAML),
	"functions": answer(knownFunctions),
	"printf":    answer(printFormats),
	"semver":    answer(checkVersions),
	"regexp":    answer(matchRegexp),
	"time":      answer(formatTime),
	"duration":  answer(parseDuration),
	"kustomize": answer(kustomize),
	"mergeKeys": answer(mergeKeys),
}

// answer gives an operation its fields.
func answer[Q any](run func(Q) any) operation {
	return func(question []byte) (any, error) {
		var fields Q
		if err := json.Unmarshal(question, &fields); err != nil {
			return nil, err
		}
		return run(fields), nil
	}
}

func main() {
	// Helm logs what it ignores; the answers are what counts.
	log.SetOutput(io.Discard)
	// A value that contains itself ends Helm by exhausting the stack: then soon, before the machine's memory is used up.
	debug.SetMaxStack(maxStack)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, maxLine)
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	fmt.Fprintln(output, `{"ready":true}`)
	output.Flush()
	for input.Scan() {
		if err := encoder.Encode(ask(input.Bytes())); err != nil {
			fmt.Fprintln(os.Stderr, "oracle: writing an answer:", err)
			os.Exit(1)
		}
		// The asker may wait for this answer before it asks again.
		output.Flush()
	}
	if err := input.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "oracle: reading a question:", err)
		os.Exit(1)
	}
}

// ask answers one question. A panic of the library is an answer, too: Helm would have crashed.
func ask(line []byte) (result any) {
	defer func() {
		if cause := recover(); cause != nil {
			result = map[string]string{"panic": fmt.Sprint(cause)}
		}
	}()
	var head struct {
		Op string `json:"op"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return map[string]string{"malformed": err.Error()}
	}
	run := operations[head.Op]
	if run == nil {
		return map[string]string{"malformed": fmt.Sprintf("no operation %q", head.Op)}
	}
	result, err := run(line)
	if err != nil {
		return map[string]string{"malformed": err.Error()}
	}
	return result
}

// words is the message of an error, empty for none.
func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
