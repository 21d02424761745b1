#![doc = include_str!("../README.md")]

#[cfg(feature = "failpoints")]
mod death;
mod point;

#[cfg(feature = "failpoints")]
pub use death::{Unclear, arm, pass};
pub use point::Point;

/// Marks the place of a point by the name of its variant: `reach!(IngressBeforePublish)`, or
/// `reach!(DispatcherAfterClaim if !claimed.is_empty())` where only some passes count.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! reach {
    ($point:ident) => {
        $crate::pass($crate::Point::$point)
    };
    ($point:ident if $counts:expr) => {
        if $counts {
            $crate::pass($crate::Point::$point);
        }
    };
}

/// Marks the place of a point by the name of its variant: `reach!(IngressBeforePublish)`, or
/// `reach!(DispatcherAfterClaim if !claimed.is_empty())` where only some passes count.
///
/// In this build it is nothing.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! reach {
    ($point:ident $(if $counts:expr)?) => {{
        const _: $crate::Point = $crate::Point::$point;
    }};
}
