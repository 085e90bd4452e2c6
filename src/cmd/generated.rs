//! `llm completions` and `llm man`: texts that are generated from the definition of the command line.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::complete;
use crate::cli;

/// The completion script of a shell. It asks this program for completions, so that they know models, aliases and the like.
pub(super) fn completions(shell: Shell) -> String {
    if let Some(script) = complete::script(shell) {
        return script;
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(str::to_owned), "llm", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The sections of the manual page that do not come from the definition of the command line.
const MORE: &str = include_str!("../../docs/llm.1.in");

/// The manual page, which contains all commands.
///
/// # Errors
/// Never in practice: it is written to memory.
pub(super) fn man() -> std::io::Result<String> {
    // The help template is for the terminal, and clap_mangen would copy its text into the page.
    let mut command = cli::command(str::to_owned).help_template("");
    command.build();
    let mut page = Vec::new();
    let top = Man::new(command.clone());
    top.render_title(&mut page)?;
    top.render_name_section(&mut page)?;
    top.render_synopsis_section(&mut page)?;
    top.render_description_section(&mut page)?;
    top.render_options_section(&mut page)?;
    for subcommand in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(subcommand, &mut page)?;
    }
    page.extend_from_slice(MORE.as_bytes());
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn section(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    page.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
    let man = Man::new(command.clone());
    let mut section = Vec::new();
    man.render_description_section(&mut section)?;
    man.render_synopsis_section(&mut section)?;
    man.render_options_section(&mut section)?;
    let section = String::from_utf8_lossy(&section).replace(".SH DESCRIPTION\n", "").replace(".SH ", ".SS ");
    page.extend_from_slice(section.as_bytes());
    for subcommand in command.get_subcommands() {
        self::section(subcommand, page)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// The files under version control that come from the command line's definition.
    fn generated() -> Vec<(&'static str, String)> {
        vec![
            ("docs/llm.1", man().expect("a page")),
            ("completions/llm.bash", completions(Shell::Bash)),
            ("completions/_llm", completions(Shell::Zsh)),
            ("completions/llm.fish", completions(Shell::Fish)),
            ("completions/_llm.ps1", completions(Shell::PowerShell)),
            ("completions/llm.elv", completions(Shell::Elvish)),
        ]
    }

    #[test]
    fn generated_files_are_up_to_date() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, expected) in generated() {
            let found = fs::read_to_string(root.join(name)).unwrap_or_default().replace("\r\n", "\n");
            assert!(found == expected, "{name} is out of date: `./generate` writes it again");
        }
    }

    #[test]
    fn the_manual_has_a_section_for_every_command() {
        let page = man().expect("a page");
        for section in ["EXAMPLES", "ENVIRONMENT", "FILES", "EXIT STATUS"] {
            assert!(page.contains(&format!(".SH \"{section}\"")), "{section}");
        }
        for command in cli::command(str::to_owned).get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(
                page.contains(&format!(".SH \"LLM {}\"", command.get_name().to_uppercase())),
                "{}",
                command.get_name()
            );
        }
    }
}
