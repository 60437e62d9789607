//! From the command line to what it does.
mod gap;
mod operate;
mod print;
mod up;

use crate::{
    cli::{Action, Cli, Log},
    config::{self, Config, ConfigError, Sources},
    control::CommandError,
    demo, logging,
    node::Roles,
    output,
};
use std::process::ExitCode;

/// Does what the command line says.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(cli: Cli) -> Result<ExitCode, CommandError> {
    let sources = Sources {
        file: cli.config.clone(),
        environment: std::env::vars_os().collect(),
        data_dir: cli.data_dir.clone(),
    };
    let config = config::load(sources)?;
    let json = cli.json;
    match cli.action {
        Action::Up => serve(&config, Roles::ALL).await,
        Action::Ingest => serve(&config, Roles::INGEST).await,
        Action::Transform => serve(&config, Roles::TRANSFORM).await,
        Action::QueryApi => serve(&config, Roles::QUERY_API).await,
        Action::Demo(options) => {
            // It forges signatures, among other things that an operator would be warned of.
            logging::start_quiet(&config.logging, "error");
            let has_directory = cli.data_dir.is_some() || std::env::var_os("CHATMAI__DATA_DIR").is_some();
            demo::run(config, options, has_directory, json).await
        }
        Action::Config => show(&config, json),
        Action::Log(Log::PassGap { slot, to }) => {
            logging::start_quiet(&config.logging, "warn");
            gap::pass(&config, slot, to, json).await
        }
        action => {
            logging::start_quiet(&config.logging, "warn");
            operate::run(&config, action, json).await
        }
    }
}

async fn serve(config: &Config, roles: Roles) -> Result<ExitCode, CommandError> {
    logging::start(&config.logging);
    up::run(config, roles).await
}

fn show(config: &Config, json: bool) -> Result<ExitCode, CommandError> {
    if json {
        output::json(&serde_json::to_value(config).map_err(CommandError::failed)?)?;
    } else {
        output::bytes(config::to_toml(config)?.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}
