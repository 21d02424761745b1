//! The words of status tables.

use domain::State;
use domain::report::Report;

/// One line of a provider's status table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The provider's word, exactly.
    pub word: &'static str,
    /// The state it stands for.
    pub state: State,
    /// Whether it speaks of a failure that may still end well; it never makes a conflict.
    pub is_temporary: bool,
}

/// What a word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The state it stands for; none for a word that the table does not list.
    pub state: Option<State>,
    /// Whether the table marks it as temporary.
    pub is_temporary: bool,
}

impl Meaning {
    /// A report of a word that means this, and of nothing else.
    pub(crate) fn said(self, word: String) -> Report {
        Report {
            provider_message_id: None,
            client_reference: None,
            recipient: None,
            part: None,
            word,
            state: self.state,
            is_temporary: self.is_temporary,
            provider_time: None,
            failure_reason: None,
            failure_class: None,
            network_code: None,
            cost: None,
            provider_response: None,
        }
    }
}

impl Word {
    pub(crate) const fn new(word: &'static str, state: State) -> Self {
        Self {
            word,
            state,
            is_temporary: false,
        }
    }

    pub(crate) const fn temporary(word: &'static str, state: State) -> Self {
        Self {
            word,
            state,
            is_temporary: true,
        }
    }
}

/// Looks a word up in a table.
pub(crate) fn meaning(table: &[Word], word: &str) -> Meaning {
    table.iter().find(|line| line.word == word).map_or(
        Meaning {
            state: None,
            is_temporary: false,
        },
        |line| Meaning {
            state: Some(line.state),
            is_temporary: line.is_temporary,
        },
    )
}
