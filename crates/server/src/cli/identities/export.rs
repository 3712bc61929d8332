//! `export identities`: everybody of a database as JSON lines, secrets included.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use portcullis_core::app::{App, Cx};
use portcullis_core::flow::engine::Request;
use portcullis_store::identities::{self, IdentityFilter, Page};

use super::super::progress::Progress;
use super::super::source::Files;
use super::super::{Failure, own, print_help, process};
use crate::admin::identities::record;

/// How many are read at once.
const TOGETHER: u32 = 500;

/// The arguments of `export`.
#[derive(clap::Args)]
pub(in super::super) struct ExportArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Write everybody of a database as JSON lines, with hashes and secrets, for `import identities`
    ///
    /// The database is that of the configuration, whose secrets open what is encrypted. Whoever has the result can check
    /// passwords against it and has everybody's second factors: keep it as you keep the database. Sessions are not in it.
    #[command(visible_alias = "identity")]
    Identities(Export),
}

#[derive(clap::Args)]
struct Export {
    #[command(flatten)]
    files: Files,
    /// Write to this new file, for this user only, rather than to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `export`.
pub(in super::super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let Some(What::Identities(args)) = &args.what else { return print_help(&["export"]) };
    let config = own::config(&args.files)?;
    process::block_on(async {
        let standing = own::standing(&config).await?;
        let store = standing.ok_or_else(|| Failure::Said("there is no database with anybody in it".to_owned()))?;
        let app = own::over(config, store).await?;
        let written = write(&app, args).await;
        own::close(&app).await?;
        let count = written?;
        let path = args.output.as_ref().map(|path| format!(" to {}", path.display())).unwrap_or_default();
        eprintln!("Wrote {count} identities{path}. Hashes and secrets are in it.");
        Ok(())
    })
}

async fn write(app: &Arc<App>, args: &Export) -> Result<u64, Failure> {
    let inner: Box<dyn Write> = match &args.output {
        None => Box::new(std::io::stdout().lock()),
        Some(path) => {
            let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Box::new(file.map_err(|e| Failure::Said(format!("{} cannot be made: {e}", path.display())))?)
        }
    };
    let mut out = std::io::BufWriter::with_capacity(1 << 18, inner);
    let total = identities::count(&app.store, &IdentityFilter::All).await.map_err(Failure::of_store)?;
    let progress = args.output.is_some().then(|| Progress::new("exporting", Some(total)));
    let mut count = 0;
    let mut after = None;
    loop {
        let page = Page { after, limit: TOGETHER };
        let all = identities::list(&app.store, &IdentityFilter::All, page, true).await.map_err(Failure::of_store)?;
        let Some(last) = all.last() else { break };
        after = Some(last.identity.id);
        let cx = Cx::new(app, Request::default());
        for who in &all {
            serde_json::to_writer(&mut out, &record::record(&cx, who))
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(unwritten)?;
            count += 1;
        }
        if let Some(progress) = &progress {
            progress.at(count);
        }
    }
    out.flush().map_err(unwritten)?;
    Ok(count)
}

/// An export that is not whole is no export, whatever the reason is.
fn unwritten(error: std::io::Error) -> Failure {
    Failure::Said(format!("it could not be written: {error}"))
}
