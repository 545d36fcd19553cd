//! Where the manifests go: standard output, or one file for each template.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::CommandError;
use crate::render::{Rendered, TemplateOutput, select};

/// Bytes that go to standard output at once.
const BUFFER: usize = 64 << 10;

/// What is written, and where to.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct OutputArguments {
    /// Also print the files under crds/.
    #[arg(long)]
    include_crds: bool,
    /// Leave hooks out.
    #[arg(long)]
    no_hooks: bool,
    /// Leave tests out.
    #[arg(long)]
    skip_tests: bool,
    /// Only what these templates made: paths like templates/service.yaml, patterns allowed; repeatable.
    #[arg(short, long, value_name = "TEMPLATE")]
    show_only: Vec<String>,
    /// Write a file for each template below this folder instead.
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Use the release's name as a folder in --output-dir.
    #[arg(long)]
    release_name: bool,
}

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
struct WriteError {
    path: PathBuf,
    source: io::Error,
}

impl OutputArguments {
    /// What the templates made of YAML that could not be read, to the same places as Helm puts it.
    pub(super) fn write_invalid(&self, files: &[(String, String)]) -> Result<(), CommandError> {
        let mut text = files.iter().fold(String::new(), |text, (path, content)| {
            text + "---\n# Source: " + path + "\n" + content + "\n"
        });
        text.truncate(text.trim_end().len());
        text.push('\n');
        if !self.show_only.is_empty() {
            text = select(&text, &self.show_only)?;
        }
        print(&text)
    }

    pub(super) fn write(&self, rendered: &Rendered, release: &str) -> Result<(), CommandError> {
        let output = TemplateOutput {
            include_crds: self.include_crds,
            no_hooks: self.no_hooks,
            skip_tests: self.skip_tests,
        };
        // Standard output as such looks for line ends in all that is written.
        let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
        let written = match &self.output_dir {
            Some(folder) => {
                let folder = if self.release_name {
                    &folder.join(release)
                } else {
                    folder
                };
                stdout.write_all(write_files(folder, output, rendered)?.as_bytes())
            }
            None if self.show_only.is_empty() => output.write_to(rendered, &mut stdout),
            None => stdout.write_all(select(&output.write(rendered), &self.show_only)?.as_bytes()),
        };
        finish(written, &mut stdout)
    }
}

fn print(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    finish(written, &mut stdout)
}

fn finish(written: io::Result<()>, stdout: &mut impl Write) -> Result<(), CommandError> {
    match written.and_then(|()| stdout.flush()) {
        // Whoever reads us (`| head`) has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Writes the files; the result names them.
fn write_files(folder: &Path, output: TemplateOutput, rendered: &Rendered) -> Result<String, WriteError> {
    let mut names = String::new();
    let mut seen = BTreeSet::new();
    for (name, text) in output.files(rendered) {
        let path = folder.join(&name);
        let append = !seen.insert(name);
        write_file(&path, &text, append).map_err(|source| WriteError {
            path: path.clone(),
            source,
        })?;
        names.extend(["wrote ", &path.to_string_lossy(), "\n"]);
    }
    names.push('\n');
    Ok(names)
}

fn write_file(path: &Path, text: &[u8], append: bool) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(append).truncate(!append);
    options.open(path)?.write_all(text)
}
