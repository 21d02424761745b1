use domain::Timestamp;

/// The largest payload that is taken, in bytes: that of the broker, and what an envelope may add.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1_048_576 + 65_536;

/// Names a record for as long as this process has the journal open; after that it has another.
///
/// The order of ids is that in which records were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    pub(crate) segment: u64,
    pub(crate) place: u32,
}

/// What was appended, taken to be forwarded.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// For [`Journal::done`](crate::Journal::done) or
    /// [`Journal::give_back`](crate::Journal::give_back).
    pub id: RecordId,
    /// What was appended, unchanged: its checksum was verified.
    pub payload: Vec<u8>,
    /// When it was written, by the clock of the process that did.
    pub written_at: Timestamp,
}

/// Payloads carry phone numbers, and are not shown.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("payload_bytes", &self.payload.len())
            .field("written_at", &self.written_at)
            .finish()
    }
}
