/// What is answered to who published something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The queue that is to have it, as it was named: see [`crate::Broker::takes_replies`].
    pub to: String,
    /// What tells whoever asked what this is the answer to.
    pub correlation_id: Option<String>,
    /// The status that the same would have over HTTP; in the header `status`.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}
