//! `logtally completions` and `logtally man`: what shells and manual readers want to know, made from
//! the command line itself.

use std::path::PathBuf;

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::output::print;

/// Flags of `logtally completions`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  For this session of bash:
    source <(logtally completions bash)
  For zsh, in a folder of $fpath:
    logtally completions zsh > ~/.zfunc/_logtally";

/// Flags of `logtally man`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write one page per command into this folder, instead of printing all of them.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

const MAN_EXAMPLES: &str = "\
Examples:
  Read the manual:
    logtally man | man -l -
  Install it:
    logtally man --dir /usr/local/share/man/man1";

/// Prints the completions of a shell.
pub(crate) fn completions(args: &CompletionsArgs, mut program: Command) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, "logtally", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Prints or writes the manual pages.
pub(crate) fn man(args: &ManArgs, program: Command) -> anyhow::Result<()> {
    let pages = pages(program)?;
    let Some(dir) = &args.dir else {
        let all: Vec<u8> = pages.into_iter().flat_map(|(_, page)| page).collect();
        return print(&String::from_utf8_lossy(&all));
    };
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for (name, page) in pages {
        let path = dir.join(name);
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(())
}

/// File names and pages of all commands.
fn pages(program: Command) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut root = program.disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    let mut waiting = vec![(root.get_name().to_owned(), root)];
    while let Some((name, command)) = waiting.pop() {
        for sub in command.get_subcommands() {
            waiting.push((format!("{name}-{}", sub.get_name()), sub.clone()));
        }
        // Clap keeps names for ever; there are a dozen of them, once.
        let kept: &'static str = Box::leak(name.clone().into_boxed_str());
        let man = Man::new(command.name(kept));
        let mut page = Vec::new();
        man.render(&mut page).context("cannot write a manual page")?;
        pages.push((format!("{name}.1"), page));
    }
    pages.sort();
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::Cli;

    #[test]
    fn every_command_has_its_page() {
        let pages = pages(Cli::command()).expect("pages");
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"logtally.1") && names.contains(&"logtally-run.1"), "{names:?}");
        assert!(pages.iter().all(|(_, page)| page.starts_with(b".ie")), "roff");
    }
}
