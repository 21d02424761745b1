//! `tidings audit`: the audit log, over the API of the running server. It computes every hash itself.

mod page;

use crate::exit::Failure;
use crate::operator::Operator;
use crate::print;
use clap::{Args, Subcommand};
use config::Config;
use domain::Timestamp;
use domain::audit::{Link, Walk, from_hex, to_hex};
use domain::id::TenantId;
use page::Page;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Walk the whole chain, and name the first entry that is not what was written: then the exit code is 1.
    Verify {
        /// A head that was noted before, as the log, or this command, told it: whatever was cut off or written
        /// anew since is noticed.
        #[arg(long, value_name = "POSITION:HASH", value_parser = read_link)]
        head: Option<Link>,
    },
    /// Print the entries, oldest first, each as JSON on a line of its own.
    Export {
        /// At or after this, such as 2026-11-23T21:09:00Z.
        #[arg(long, value_name = "TIME", value_parser = read_time)]
        from: Option<Timestamp>,
        /// Before this.
        #[arg(long, value_name = "TIME", value_parser = read_time)]
        to: Option<Timestamp>,
        /// Of this tenant alone.
        #[arg(long, value_name = "ten_…")]
        tenant: Option<TenantId>,
    },
}

/// Verifies the log or prints it.
pub(crate) async fn audit(config: &Config, args: AuditArgs) -> Result<(), Failure> {
    let operator = match Operator::find(config, WITHIN, "")? {
        Some(operator) => operator,
        // With its files elsewhere, it says nothing here.
        None => Operator::at(config.subscriptions.listen.to_string(), config, WITHIN, "")?,
    };
    match args.what {
        What::Verify { head } => verify(&operator, head).await,
        What::Export { from, to, tenant } => {
            let is_wanted = |at: Timestamp, of: TenantId| {
                from.is_none_or(|from| at >= from)
                    && to.is_none_or(|to| at < to)
                    && tenant.is_none_or(|tenant| of == tenant)
            };
            export(&operator, is_wanted).await
        }
    }
}

async fn verify(operator: &Operator, known: Option<Link>) -> Result<(), Failure> {
    let mut page = Page::after(operator, 0).await?;
    if let Some(known) = known.filter(|known| known.position < page.anchor.position) {
        return Err(Failure::Configuration(format!(
            "the log begins after position {}: position {} is not kept any more",
            page.anchor.position, known.position
        )));
    }
    let mut walk = begin(&page, known)?;
    let mut entries = 0_u64;
    loop {
        for it in &page.entries {
            let step = walk.step(&it.entry, it.place, &it.previous_hash);
            step.map_err(|broken| {
                Failure::Runtime(format!(
                    "the audit log is broken at position {}, entry {}: {broken}",
                    it.place.position, it.entry.id
                ))
            })?;
            entries += 1;
        }
        if page.entries.is_empty() {
            break;
        }
        page = Page::after(operator, walk.reached().position).await?;
        // What is old was forgotten meanwhile.
        if page.anchor.position > walk.reached().position {
            walk = begin(&page, known)?;
        }
    }
    let reached = walk.reached();
    walk.end(page.head).map_err(|broken| {
        Failure::Runtime(format!(
            "the audit log is broken after position {}: {broken}",
            reached.position
        ))
    })?;
    print::line(&format!(
        "the audit log holds: {entries} entries after position {}; its head is {}:{}",
        page.anchor.position,
        reached.position,
        to_hex(&reached.hash)
    ));
    Ok(())
}

fn begin(page: &Page, known: Option<Link>) -> Result<Walk, Failure> {
    let walk = Walk::after(page.anchor, known);
    walk.check().map_err(|broken| {
        Failure::Runtime(format!(
            "the audit log is broken at position {}: {broken}",
            page.anchor.position
        ))
    })?;
    Ok(walk)
}

async fn export(
    operator: &Operator,
    is_wanted: impl Fn(Timestamp, TenantId) -> bool,
) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let page = Page::after(operator, after).await?;
        let Some(last) = page.entries.last() else {
            return Ok(());
        };
        after = last.place.position;
        for it in &page.entries {
            if is_wanted(it.entry.at, it.entry.tenant_id) {
                print::line(&it.shown.to_string());
            }
        }
    }
}

fn read_link(text: &str) -> Result<Link, String> {
    let read = || {
        let (position, hash) = text.split_once(':')?;
        let position = position.parse().ok().filter(|position| *position >= 0)?;
        Some(Link {
            position,
            hash: from_hex(hash)?,
        })
    };
    read().ok_or_else(|| "write a position, a colon and 64 hexadecimal digits".to_owned())
}

fn read_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "write a time in RFC 3339".to_owned())
}
