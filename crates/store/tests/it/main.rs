//! What every store must do, whatever its engine.

mod callbacks;
mod deliveries;
mod directory;
mod events;
mod leases;
mod messages;
mod scene;
mod schema;
mod writes;
