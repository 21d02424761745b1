//! What happened, line by line, with the time since the beginning.

use crate::print;
use std::time::Instant;

pub(super) struct Timeline {
    begun: Instant,
}

impl Timeline {
    pub(super) fn begin() -> Self {
        print::line("Tidings, everything in one process, kept in a temporary directory.\n");
        Self {
            begun: Instant::now(),
        }
    }

    pub(super) fn tell(&mut self, what: &str, text: &str) {
        let seconds = self.begun.elapsed().as_secs_f64();
        print::line(&format!("{seconds:7.3} s  {what:<9} {text}"));
    }
}
