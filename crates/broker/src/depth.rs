use domain::Timestamp;

/// How many jobs a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Jobs that may be offered now.
    pub ready: u64,
    /// Jobs that a handler has.
    pub leased: u64,
    /// Jobs that wait for the time of their retry.
    pub delayed: u64,
    /// Dead letters.
    pub dead: u64,
    /// Since when the job has waited that has been ready longest; `None` when none is ready.
    pub oldest_ready_at: Option<Timestamp>,
}
