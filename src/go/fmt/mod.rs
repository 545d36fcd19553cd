//! Go's fmt: `Sprint`, `Sprintln` and `Sprintf` of template values, every verb and flag.

mod directive;
mod format;
mod printer;

use crate::template::value::{Kind, Object, Value};
use printer::Printer;

/// Go's `fmt.Sprint`: a space between two operands of which neither is a string.
pub fn sprint(arguments: &[Value]) -> Vec<u8> {
    let mut printer = Printer::default();
    let mut string_before = false;
    for (index, argument) in arguments.iter().enumerate() {
        let is_string = argument.kind() == Kind::String;
        if index > 0 && !is_string && !string_before {
            printer.format.output.push(b' ');
        }
        printer.print_argument(argument, 'v');
        string_before = is_string;
    }
    printer.format.output
}

/// Go's `fmt.Sprintln`: spaces between all operands, and a newline.
pub fn sprintln(arguments: &[Value]) -> Vec<u8> {
    let mut printer = Printer::default();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            printer.format.output.push(b' ');
        }
        printer.print_argument(argument, 'v');
    }
    printer.format.output.push(b'\n');
    printer.format.output
}

/// Go's `fmt.Sprintf`.
pub fn sprintf(format: &[u8], arguments: &[Value]) -> Vec<u8> {
    let mut printer = Printer::default();
    directive::print(&mut printer, format, arguments);
    printer.format.output
}

/// Appends what `%v` prints.
pub fn write_value(output: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => output.extend_from_slice(text),
        Value::Bool(true) => output.extend_from_slice(b"true"),
        Value::Bool(false) => output.extend_from_slice(b"false"),
        _ => {
            let mut printer = Printer::onto(std::mem::take(output));
            printer.print_argument(value, 'v');
            *output = printer.format.output;
        }
    }
}

/// Appends what a template action prints: as `%v`, but pointers are followed.
pub fn write_printable(output: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(object) if object.kind() == Kind::Pointer && !object.is_nil() && object.stringer().is_none() => {
            let mut printer = Printer::onto(std::mem::take(output));
            printer.print_pointee(object.as_ref() as &dyn Object, 'v');
            *output = printer.format.output;
        }
        _ => write_value(output, value),
    }
}

#[cfg(test)]
mod tests;
