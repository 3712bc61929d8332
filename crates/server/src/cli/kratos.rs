//! `import kratos`: moving in from an Ory Kratos server.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_core::app::App;
use portcullis_core::kratos::{Event, Extent, Report, move_in};
use portcullis_store::Store;
use portcullis_store::kratos::Source;
use serde_json::{Value, json};

use super::Failure;
use super::output::{Listing, Style};
use super::own::{self, Scratch};
use super::process;
use super::progress::Progress;
use super::source::Files;

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The database to move from: `sqlite://PATH` or `postgres://...`; nothing is written there
    #[arg(long, value_name = "DSN")]
    from: String,
    #[command(flatten)]
    files: Files,
    /// Only tell what would come and what would not
    #[arg(long)]
    dry_run: bool,
    /// Take over messages that wait to be sent, too: give it when that server has stopped, else both may send them
    #[arg(long)]
    with_courier: bool,
    /// Write a JSON line to this new file for everyone who did not come, or not with everything
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    style: Style,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = own::config(&args.files)?;
    process::block_on(async {
        let source = Source::open(&args.from)
            .await
            .map_err(|e| Failure::Said(format!("the database to move from cannot be used: {e}")))?;
        let mut lines = args.report.as_deref().map(Lines::make).transpose()?;
        let extent = if args.with_courier { Extent::PeopleAndMessages } else { Extent::People };
        let report = if args.dry_run {
            let scratch = Scratch::make()?;
            let standing = own::standing(&config).await?;
            let app = scratch.open(config).await?;
            let moved = moved(&app, &source, extent, standing.as_ref(), lines.as_mut()).await;
            own::close(&app).await?;
            if let Some(standing) = standing {
                standing.close().await.map_err(Failure::of_store)?;
            }
            moved?
        } else {
            let app = own::open(config).await?;
            let moved = moved(&app, &source, extent, None, lines.as_mut()).await;
            own::close(&app).await?;
            moved?
        };
        if let Some(lines) = lines {
            lines.finish()?;
        }
        args.style.print(&listing(&report, args.dry_run))?;
        match report.not_taken.values().map(|group| group.count).sum::<u64>() {
            0 => Ok(()),
            left => {
                Err(Failure::Said(format!("{left} identities {}", if args.dry_run { "would not come" } else { "did not come" })))
            }
        }
    })
}

async fn moved(
    app: &Arc<App>,
    source: &Source,
    extent: Extent,
    standing: Option<&Store>,
    mut lines: Option<&mut Lines>,
) -> Result<Report, Failure> {
    let contents =
        source.contents().await.map_err(|e| Failure::Said(format!("the database to move from cannot be read: {e}")))?;
    let progress = Progress::new("moving in", Some(contents.identities));
    let mut tell = |event: Event<'_>| match event {
        Event::Seen(seen) => progress.at(seen),
        Event::Left(left) => {
            if let Some(lines) = lines.as_deref_mut() {
                lines.add(&json!(left));
            }
        }
    };
    move_in(app, source, contents, extent, standing, &mut tell)
        .await
        .map_err(|error| Failure::Said(format!("{error}. What came over stays; give the command again to go on")))
}

/// A new file of JSON lines, for this user only.
struct Lines {
    path: PathBuf,
    out: std::io::BufWriter<std::fs::File>,
    failure: Option<std::io::Error>,
}

impl Lines {
    fn make(path: &Path) -> Result<Self, Failure> {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|e| Failure::Said(format!("{} cannot be made: {e}", path.display())))?;
        Ok(Self { path: path.to_owned(), out: std::io::BufWriter::new(file), failure: None })
    }

    /// A failure is told at the end: the move goes on without.
    fn add(&mut self, line: &Value) {
        if self.failure.is_none() {
            self.failure = writeln!(self.out, "{line}").err();
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        match self.failure.take().or_else(|| self.out.flush().err()) {
            None => Ok(()),
            Some(e) => Err(Failure::Said(format!("{} could not be written: {e}", self.path.display()))),
        }
    }
}

fn listing(report: &Report, rehearsal: bool) -> Listing {
    let mut value = json!(report);
    value["dry_run"] = rehearsal.into();
    let mut rows = Vec::new();
    let mut row = |what: &str, count: u64, ids: &[String]| {
        if count > 0 || ids.is_empty() && rows.len() < 2 {
            rows.push(vec![what.to_owned(), count.to_string(), ids.join(" ")]);
        }
    };
    row("identities", report.identities, &[]);
    row("sessions", report.sessions, &[]);
    row("identities that were here already", report.identities_already_here, &[]);
    row("identities that changed there since: taken over anew", report.identities_updated, &[]);
    row("sessions that last longer now, or have another level", report.sessions_renewed, &[]);
    row("sessions that were ended there since: ended here too", report.sessions_ended, &[]);
    row("sessions that were over: left out", report.sessions_over, &[]);
    row("messages that waited to be sent", report.messages, &[]);
    row("messages that had come before", report.messages_already_here, &[]);
    row("messages that wait to be sent: left out, see --with-courier", report.messages_left, &[]);
    row("identities of other networks: left out", report.foreign_identities_left, &[]);
    let groups = [
        ("taken, but:", &report.changed),
        ("left as it is here:", &report.left_as_here),
        ("message not taken:", &report.messages_not_taken),
        ("NOT TAKEN:", &report.not_taken),
    ];
    for (what, groups) in groups {
        for (reason, group) in groups {
            row(&format!("{what} {reason}"), group.count, &group.examples);
        }
    }
    Listing { value, ids: Vec::new(), columns: &["what", "count", "for example"], rows }
}
