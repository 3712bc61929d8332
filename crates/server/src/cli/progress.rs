//! How far a long command has come, on standard error. Where that is no terminal, nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often what only waits is drawn again.
const TICK: Duration = Duration::from_millis(100);

/// A bar that is taken away when it is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Of so many, if that is known.
    pub(super) fn new(what: &'static str, total: Option<u64>) -> Self {
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{msg} {wide_bar} {human_pos} of {human_len}, {eta} left"),
            None => (ProgressBar::new_spinner(), "{msg} {human_pos}, {elapsed}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self(bar)
    }

    /// Of something that is done as a whole: it only shows that time passes.
    pub(super) fn waiting(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// So many are done.
    pub(super) fn at(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_can_be_read() {
        for total in [None, Some(7)] {
            let progress = Progress::new("trying", total);
            progress.at(3);
            assert_eq!(progress.0.position(), 3);
        }
        drop(Progress::waiting("trying"));
        assert!(ProgressStyle::with_template("{spinner} {msg}, {elapsed}").is_ok());
        assert!(ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len}, {eta} left").is_ok());
    }
}
