//! The `llm` command.

fn main() -> std::process::ExitCode {
    onekey::cmd::main()
}
