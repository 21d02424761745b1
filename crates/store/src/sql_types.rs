//! SQL types with one name and two forms: native on PostgreSQL, plain on SQLite.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, SqlType};
use diesel::sqlite::{Sqlite, SqliteValue};
use domain::Timestamp;
use std::io::Write;
use uuid::Uuid;

/// `uuid` on PostgreSQL, 16 bytes in a `blob` on SQLite.
#[derive(SqlType, QueryId, Debug, Clone, Copy, Default)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Id;

/// `timestamptz` on PostgreSQL, milliseconds since the Unix epoch in a `bigint` on SQLite.
#[derive(SqlType, QueryId, Debug, Clone, Copy, Default)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Instant;

impl diesel::sql_types::SqlOrd for Instant {}

/// An id of any kind, as a row holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, FromSqlRow, AsExpression)]
#[diesel(sql_type = Id)]
pub struct Uid(pub Uuid);

/// A moment, as a row holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, FromSqlRow, AsExpression)]
#[diesel(sql_type = Instant)]
pub struct Moment(pub i64);

impl Uid {
    /// No id: where a column has to hold one.
    pub(crate) const NONE: Self = Self(Uuid::nil());
    /// No id is greater.
    pub(crate) const LAST: Self = Self(Uuid::max());

    /// The smallest UUIDv7 of a moment: ids that were made earlier are smaller.
    pub(crate) fn first_of(time: Timestamp) -> Self {
        let millis = u128::try_from(time.as_millis()).unwrap_or(0);
        Self(Uuid::from_u128(millis << 80))
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self(time.as_millis())
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        Self::from_millis(moment.0)
    }
}

macro_rules! uid_of {
    ($($id:ident)*) => {$(
        impl From<domain::id::$id> for Uid {
            fn from(id: domain::id::$id) -> Self {
                Self(id.0)
            }
        }

        impl From<Uid> for domain::id::$id {
            fn from(uid: Uid) -> Self {
                Self(uid.0)
            }
        }
    )*};
}

uid_of!(TenantId KeyId MemberId AccountId MessageId CallbackId ReceiptId EventId SubscriptionId DeliveryId AttemptId OrphanId SecurityEventId QuarantineId DeadLetterId PollId ReplayId SweepId TrialId AuditEntryId);

impl ToSql<Id, Sqlite> for Uid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Sqlite> for Uid {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
        Ok(Self(Uuid::from_slice(&bytes)?))
    }
}

impl ToSql<Instant, Sqlite> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0);
        Ok(IsNull::No)
    }
}

impl FromSql<Instant, Sqlite> for Moment {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(<i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?))
    }
}

impl ToSql<Id, Pg> for Uid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Pg> for Uid {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.as_bytes())?))
    }
}

/// PostgreSQL counts microseconds from the first moment of 2000.
const EPOCH_2000_MS: i64 = 946_684_800_000;

impl ToSql<Instant, Pg> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = self.0.saturating_sub(EPOCH_2000_MS).saturating_mul(1_000);
        out.write_all(&micros.to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Instant, Pg> for Moment {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = i64::from_be_bytes(value.as_bytes().try_into()?);
        Ok(Self(micros.div_euclid(1_000) + EPOCH_2000_MS))
    }
}
