//! The table of a provider's fixtures: every file with what must become of it.

use domain::State;
use domain::callback::{Kind, Statement};
use domain::inbound::Inbound;
use domain::report::Report;
use std::collections::BTreeSet;
use std::path::Path;
use tidings_providers::{Body, Provider, Refusal, registry};

/// A fixture's file name, the URL it is sent to, and its statements or the code of its refusal,
/// as [`outcome`] writes them.
pub(crate) type Line = (&'static str, Kind, &'static [&'static str]);

/// Checks that the files of a provider and the lines of its table are the same, and that every
/// file becomes what its line says.
pub(crate) fn check(provider: &str, table: &[Line]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(provider);
    let listed: BTreeSet<_> = table.iter().map(|(file, ..)| (*file).to_owned()).collect();
    assert_eq!(
        listed,
        files(&folder),
        "the files of {provider} are not those of its table"
    );
    let provider = find(provider);
    for (file, kind, expected) in table {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let header = if is_json(file) {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let Some(media_type) = provider.media_type(Some(header)) else {
            assert_eq!(*expected, ["unsupported media type"], "{file}");
            continue;
        };
        let parsed = provider.parse(
            *kind,
            Body {
                media_type,
                bytes: posted(&bytes),
            },
        );
        assert_eq!(outcome(parsed), *expected, "{file}");
    }
}

/// The provider of this name, which there is.
pub(crate) fn find(name: &str) -> &'static dyn Provider {
    registry::find(name).unwrap()
}

/// These bytes as a form may write them: every one of them escaped.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let escapes: Vec<_> = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
    escapes.concat()
}

/// What became of a body, a line for each statement.
pub(crate) fn outcome(parsed: Result<Vec<Statement>, Refusal>) -> Vec<String> {
    match parsed {
        Ok(statements) => statements.iter().map(line).collect(),
        Err(refusal) => vec![format!("{}: {}", refusal.code(), refusal.detail())],
    }
}

fn line(statement: &Statement) -> String {
    match statement {
        Statement::Report(report) => report_line(report),
        Statement::Inbound(inbound) => inbound_line(inbound),
        Statement::OptOut(opt_out) => format!("opt-out {} from {}", opt_out.phone, opt_out.sender),
        Statement::CarrierSubscription(it) => {
            format!(
                "{} {} {} {}",
                it.update, it.phone, it.short_code, it.keyword
            )
        }
    }
}

pub(crate) fn report_line(report: &Report) -> String {
    let state = report.state.map_or("nothing", State::as_str);
    let word = &report.word;
    let facts = [
        ("temporary", report.is_temporary.then(|| "yes".to_owned())),
        ("id", report.provider_message_id.clone()),
        ("ref", report.client_reference.clone()),
        ("to", report.recipient.clone()),
        ("part", report.part.map(|part| part.to_string())),
        ("at", report.provider_time.map(|time| time.to_string())),
        ("reason", report.failure_reason.clone()),
        (
            "class",
            report.failure_class.map(|it| it.as_str().to_owned()),
        ),
        ("network", report.network_code.clone()),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, fact)| Some(format!(" {name}={}", fact?)));
    format!("{word} means {state}{}", known.collect::<String>())
}

fn inbound_line(inbound: &Inbound) -> String {
    let Inbound {
        provider_message_id,
        from,
        to,
        text,
        provider_time,
        ids_repeat,
    } = inbound;
    let id = provider_message_id.as_deref().unwrap_or("none");
    let time = provider_time.map_or("none".to_owned(), |time| time.to_string());
    let repeats = if *ids_repeat { " ids repeat" } else { "" };
    format!("inbound id={id} from={from} to={to} at={time}{repeats}: {text}")
}

/// What a provider is given of a file: all of it, or the query where the file is the request line of
/// a GET.
fn posted(file: &[u8]) -> &[u8] {
    match file.strip_prefix(b"GET ") {
        None => file,
        Some(target) => target
            .splitn(2, |byte| *byte == b'?')
            .nth(1)
            .unwrap_or_default(),
    }
}

fn files(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn is_json(file: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "json")
}
