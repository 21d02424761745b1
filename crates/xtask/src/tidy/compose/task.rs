//! What a service has the program do: its command line, as far as the program understands it.

use std::collections::BTreeSet;

use super::file::Service;

/// Where the program lists its roles.
pub const ROLES: &str = "services/tidings/src/role.rs";

/// The commands of the program besides `run`.
const COMMANDS: [&str; 6] = [
    "demo",
    "migrate",
    "doctor",
    "config",
    "tenant create",
    "listen",
];

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// `run`, with the roles that run.
    Run(BTreeSet<String>),
    /// Another command.
    Other(&'static str),
}

/// The names of the roles, from the lines `Self::Ingress => "ingress",` of the program's source.
pub fn roles(source: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let (_, name) = line.trim().strip_prefix("Self::")?.split_once(" => \"")?;
        Some(name.strip_suffix("\",")?.to_owned())
    };
    source.lines().filter_map(name).collect()
}

impl Task {
    /// What `words` ask for, or the sentence that says why the program does not understand them.
    pub fn read(words: &[String], roles: &BTreeSet<String>) -> Result<Self, String> {
        let said = words.join(" ");
        if let Some(("run", arguments)) = words.split_first().map(|(first, rest)| (&**first, rest))
        {
            return running(arguments, roles).map(Self::Run);
        }
        let is_said = |command: &&str| format!("{said} ").starts_with(&format!("{command} "));
        let command = COMMANDS.into_iter().find(is_said);
        command
            .map(Self::Other)
            .ok_or_else(|| format!("`{said}` is not a command of tidings"))
    }

    /// Whether it serves until it is told to end.
    pub fn is_run(&self) -> bool {
        matches!(self, Self::Run(_))
    }

    /// The roles that run.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        let roles = match self {
            Self::Run(roles) => Some(roles),
            Self::Other(_) => None,
        };
        roles.into_iter().flatten().map(String::as_str)
    }
}

/// A command that is not one of the program; a server without a health check that is.
pub fn check(service: &Service, roles: &BTreeSet<String>) -> Vec<String> {
    let task = Task::read(&service.command, roles);
    let serves = task.as_ref().is_ok_and(Task::is_run);
    let mut findings: Vec<String> = task.err().into_iter().collect();
    let health: Vec<&str> = service.health.iter().map(String::as_str).collect();
    let is_known = matches!(health.as_slice(), ["CMD", "tidings", ..])
        && Task::read(&service.health[2..], roles).is_ok();
    if !is_known && (serves || !health.is_empty()) {
        findings.push(format!(
            "the health check `{}` is not a command of tidings",
            health.join(" ")
        ));
    }
    findings
}

/// No argument is all roles.
fn running(arguments: &[String], roles: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let named = match words.as_slice() {
        [] => return Ok(roles.clone()),
        ["--roles", named] => named,
        [one] if one.starts_with("--roles=") => &one["--roles=".len()..],
        _ => {
            return Err(format!(
                "`run {}` is not a command of tidings",
                words.join(" ")
            ));
        }
    };
    let named: BTreeSet<String> = named.split(',').map(str::to_owned).collect();
    match named.difference(roles).next() {
        Some(unknown) => Err(format!("`{unknown}` is not a role of tidings")),
        None => Ok(named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
        match self {
            Self::Ingress => "ingress",
            Self::Tracker => "tracker",
        }"#;

    fn task(line: &str) -> Result<Task, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Task::read(&words, &roles(SOURCE))
    }

    fn run(roles: &[&str]) -> Task {
        Task::Run(roles.iter().map(|role| (*role).to_owned()).collect())
    }

    #[test]
    fn running_is_of_the_roles_named_or_of_all() {
        assert_eq!(task("run"), Ok(run(&["ingress", "tracker"])));
        assert_eq!(task("run --roles tracker"), Ok(run(&["tracker"])));
        assert_eq!(
            task("run --roles=tracker,ingress"),
            Ok(run(&["ingress", "tracker"]))
        );
    }

    #[test]
    fn other_commands_are_known_by_their_words() {
        assert_eq!(task("migrate"), Ok(Task::Other("migrate")));
        assert_eq!(
            task("tenant create --name x"),
            Ok(Task::Other("tenant create"))
        );
    }

    #[test]
    fn what_the_program_would_refuse_is_refused() {
        for (line, finding) in [
            ("serve", "`serve` is not a command of tidings"),
            (
                "tenant delete",
                "`tenant delete` is not a command of tidings",
            ),
            ("migrates", "`migrates` is not a command of tidings"),
            ("", "`` is not a command of tidings"),
            (
                "run --role tracker",
                "`run --role tracker` is not a command of tidings",
            ),
            (
                "run --roles tracker,pager",
                "`pager` is not a role of tidings",
            ),
        ] {
            assert_eq!(task(line), Err(finding.to_owned()));
        }
    }

    #[test]
    fn a_server_needs_a_health_check_of_the_program() {
        let mut service = Service {
            command: vec!["run".to_owned()],
            ..Service::default()
        };
        let findings = |service: &Service| check(service, &roles(SOURCE));
        assert_eq!(
            findings(&service),
            ["the health check `` is not a command of tidings"]
        );
        for (health, bad) in [
            ("CMD tidings doctor", 0),
            ("CMD tidings health", 1),
            ("CMD curl", 1),
        ] {
            service.health = health.split(' ').map(str::to_owned).collect();
            assert_eq!(findings(&service).len(), bad, "{health}");
        }
        service.command = vec!["migrate".to_owned()];
        service.health.clear();
        assert_eq!(findings(&service), Vec::<String>::new());
    }
}
