//! What a person may type.
use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_sound_and_reads_as_the_contract_says() {
    Cli::command().debug_assert();
    let id = "0".repeat(32);
    for line in [
        "up",
        "query-api --config c.toml",
        "demo --events 10 --workspaces 2 --seed 7 --data-dir d --keep --json",
        "config --json",
        "workspace add Shop --time-zone Asia/Bangkok --retention-days 90",
        "connection add --workspace W --platform line --name N --destination U1 --secret-file F",
        "connection add --workspace W --platform facebook --name N --page-id 1",
        "key add --workspace W --scope read --scope write",
        "key rotate --workspace W",
        "key rotate --root",
        "key export --workspace W --day 2026-11-22 --out F",
        "import --workspace W -",
        "log pass-gap --slot 0 --to 57",
        "dead-letters list --workspace system --json",
        &format!("dead-letters replay --workspace W --connection {id} {id}"),
        &format!("connection rotate-secret {id} --secret-file F"),
    ] {
        let parsed = Cli::try_parse_from(std::iter::once("chatmai").chain(line.split(' ')));
        assert!(parsed.is_ok(), "{line}: {parsed:?}");
    }
    for line in [
        "connection add --workspace W --platform line --name N --destination U1",
        "connection add --workspace W --platform facebook --name N",
        "key rotate",
        "key rotate --root --workspace W",
        "workspace add Shop",
        "connection disable x",
        "demo --events 0",
        "log pass-gap --slot 0",
        "nonsense",
    ] {
        assert!(Cli::try_parse_from(std::iter::once("chatmai").chain(line.split(' '))).is_err(), "{line}");
    }
}
