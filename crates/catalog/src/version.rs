//! A version that somebody wants to add: judged as a whole, with the one before it.

use crate::compatibility::differences;
use crate::converter::Converter;
use crate::fault::{Fault, MOST_FAULTS};
use crate::schema::Schema;
use domain::json::{MAX_DEPTH, Raw};
use serde_json::Value;

/// The longest example, in bytes.
pub const MAX_EXAMPLE_BYTES: usize = 16 * 1024;

/// A version as it is asked for.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The schema of its data.
    pub schema: Raw,
    /// Data as it may be.
    pub example: Raw,
    /// Whether it may break those who know the version before.
    pub is_breaking: bool,
    /// Makes data of the version before to data of this one.
    pub upgrade: Option<Raw>,
    /// The reverse.
    pub downgrade: Option<Raw>,
}

/// A version that is there, as far as the next has to fit to it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its schema.
    pub schema: Raw,
    /// Its example.
    pub example: Raw,
}

/// Judges a version: its schema, its example and, where it comes after another, whether it breaks those
/// who know that one, and what its converters make of the examples. The faults' pointers begin at an
/// object with the members `schema`, `example`, `breaking`, `upgrade` and `downgrade`.
pub fn judge(draft: &Draft, newest: Option<&Standing>) -> Result<(), Vec<Fault>> {
    let within = |of: &'static str| {
        move |faults: Vec<Fault>| -> Vec<Fault> {
            faults.into_iter().map(|fault| fault.within(of)).collect()
        }
    };
    let schema = Schema::parse(&draft.schema).map_err(within("/schema"))?;
    judge_example(&schema, &draft.example).map_err(within("/example"))?;
    let Some(newest) = newest else {
        return refuse_succession(draft);
    };
    judge_difference(draft, newest)?;
    let upgrade = read(draft.upgrade.as_ref()).map_err(within("/upgrade"))?;
    let downgrade = read(draft.downgrade.as_ref()).map_err(within("/downgrade"))?;
    // What is kept was judged when it was added.
    let before = Schema::parse(&newest.schema).map_err(within("/schema"))?;
    let mut faults = try_out("/upgrade", upgrade.as_ref(), &newest.example, &schema);
    faults.extend(try_out(
        "/downgrade",
        downgrade.as_ref(),
        &draft.example,
        &before,
    ));
    faults.truncate(MOST_FAULTS);
    if faults.is_empty() {
        return Ok(());
    }
    Err(faults)
}

fn judge_example(schema: &Schema, example: &Raw) -> Result<(), Vec<Fault>> {
    let refuse = |detail: String| Err(vec![Fault::new("", detail)]);
    if !example.is_object() {
        return refuse("write a JSON object".to_owned());
    }
    if example.as_str().len() > MAX_EXAMPLE_BYTES {
        return refuse(format!("write at most {MAX_EXAMPLE_BYTES} bytes"));
    }
    if let Err(error) = example.check(MAX_DEPTH) {
        return refuse(error.to_string());
    }
    schema.check(example)
}

/// A first version follows nothing.
fn refuse_succession(draft: &Draft) -> Result<(), Vec<Fault>> {
    let given = [
        ("/breaking", draft.is_breaking),
        ("/upgrade", draft.upgrade.is_some()),
        ("/downgrade", draft.downgrade.is_some()),
    ];
    let faults: Vec<Fault> = given
        .iter()
        .filter(|(_, is_given)| *is_given)
        .map(|(at, _)| Fault::new(at, "there is no version before: leave this out"))
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(faults)
}

fn judge_difference(draft: &Draft, newest: &Standing) -> Result<(), Vec<Fault>> {
    if draft.is_breaking {
        let missing = [
            ("/upgrade", draft.upgrade.is_none()),
            ("/downgrade", draft.downgrade.is_none()),
        ];
        let faults: Vec<Fault> = missing
            .iter()
            .filter(|(_, is_missing)| *is_missing)
            .map(|(at, _)| Fault::new(at, "a breaking version brings both converters"))
            .collect();
        return if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        };
    }
    let value = |raw: &Raw| serde_json::from_str::<Value>(raw.as_str()).unwrap_or_default();
    let broken = differences(&value(&newest.schema), &value(&draft.schema));
    if broken.is_empty() {
        return Ok(());
    }
    let mut faults: Vec<Fault> = broken
        .into_iter()
        .map(|fault| fault.within("/schema"))
        .collect();
    let detail = "this version breaks those who know the one before: change it, or declare \
                  \"breaking\": true and bring the converters upgrade and downgrade";
    faults.insert(0, Fault::new("/breaking", detail));
    Err(faults)
}

fn read(text: Option<&Raw>) -> Result<Option<Converter>, Vec<Fault>> {
    text.map(Converter::parse).transpose()
}

/// What is wrong with an example of one version after it was made to one of another.
fn try_out(at: &str, by: Option<&Converter>, example: &Raw, target: &Schema) -> Vec<Fault> {
    let made = match by.map(|by| by.convert(example)) {
        None => example.clone(),
        Some(Ok(made)) => made,
        Some(Err(error)) => {
            return vec![Fault::new(
                at,
                format!("the example cannot be converted: {error}"),
            )];
        }
    };
    let faults = target.check(&made).err().unwrap_or_default();
    let told = faults.into_iter().map(|fault| {
        let detail = format!(
            "the example, converted, is not valid at {:?}: {}",
            fault.pointer, fault.detail
        );
        Fault::new(at, detail)
    });
    told.collect()
}
