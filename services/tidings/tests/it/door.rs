//! The door for providers: who gets in, what is refused, and how.
