//! `--values` and the `--set` family: from arguments and files to one table.

use std::io::Read as _;
use std::path::Path;

use clap::Args;

use crate::chart::load::read_values;
use crate::chart::values::merge_maps;
use crate::chart::{JsonMap, strvals};
use crate::source::system_error;

/// What the user sets. The classes are applied in this order, whatever their order in the arguments, as by Helm.
#[derive(Debug, Args)]
pub(super) struct ValuesArguments {
    /// Values in a YAML file, or - for standard input; comma-separated, repeatable.
    #[arg(short = 'f', long = "values", value_delimiter = ',', value_name = "FILE")]
    files: Vec<String>,
    /// Values as JSON: key=json, or one object; repeatable.
    #[arg(long, value_name = "KEY=JSON")]
    set_json: Vec<String>,
    /// Values: key1=value1,key2=value2; repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Values that are strings; repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    set_string: Vec<String>,
    /// Values that are contents of files; repeatable.
    #[arg(long, value_name = "KEY=FILE")]
    set_file: Vec<String>,
    /// One value that is taken as it is; repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    set_literal: Vec<String>,
}

/// What is wrong with the values.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValuesError {
    #[error("{0}")]
    Read(String),
    #[error("{0} is an address: values are read from files only; download it first")]
    Address(String),
    #[error("failed to parse {path}: {reason}")]
    Parse { path: String, reason: String },
    #[error("failed parsing --set-json data {0}")]
    SetJson(String),
    #[error("failed parsing --{flag} data: {source}")]
    Set {
        flag: &'static str,
        source: strvals::StrvalsError,
    },
}

impl ValuesArguments {
    pub(super) fn read(&self) -> Result<JsonMap, ValuesError> {
        let Self {
            files,
            set_json,
            set,
            set_string,
            set_file,
            set_literal,
        } = self;
        let mut values = JsonMap::new();
        for path in files {
            let parsed = read_values(&read_file(path)?).map_err(|reason| ValuesError::Parse {
                path: path.clone(),
                reason,
            })?;
            values = merge_maps(values, parsed);
        }
        for text in set_json {
            strvals::set_json(text, &mut values).map_err(|_| ValuesError::SetJson(text.clone()))?;
        }
        let failure = |flag| move |source| ValuesError::Set { flag, source };
        for text in set {
            strvals::set(text, &mut values).map_err(failure("set"))?;
        }
        for text in set_string {
            strvals::set_string(text, &mut values).map_err(failure("set-string"))?;
        }
        for text in set_file {
            let mut read = |path: &str| match read_file(path) {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Err(error) => Err(error.to_string()),
            };
            strvals::set_file(text, &mut values, &mut read).map_err(failure("set-file"))?;
        }
        for text in set_literal {
            strvals::set_literal(text, &mut values).map_err(failure("set-literal"))?;
        }
        Ok(values)
    }
}

fn read_file(path: &str) -> Result<Vec<u8>, ValuesError> {
    let failure = |error: std::io::Error| {
        let call = match error.kind() {
            std::io::ErrorKind::IsADirectory => "read",
            _ => "open",
        };
        ValuesError::Read(system_error(call, Path::new(path), &error))
    };
    if path.trim() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(failure)?;
        return Ok(bytes);
    }
    if path.contains("://") {
        return Err(ValuesError::Address(path.to_owned()));
    }
    std::fs::read(path).map_err(failure)
}
