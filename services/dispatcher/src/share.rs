//! Shares: how much of what there is once for all, requests and memory, each tenant may have.

use domain::id::TenantId;
use std::collections::HashMap;

/// How many requests are under way at once, over all tenants.
pub(crate) const MAX_IN_FLIGHT: usize = 2_048;
/// How many bytes of bodies wait in memory.
pub(crate) const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// What one tenant may have, for each that nobody has: one that wants everything gets three quarters, of
/// two each gets three sevenths, of ten three thirty-firsts, and there is always something left for who
/// comes next.
const FOR_EACH_FREE: usize = 3;

/// What tenants have under way and in memory.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    all: Held,
    tenants: HashMap<TenantId, Held>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    in_flight: usize,
    waiting_bytes: usize,
}

impl Shares {
    /// How many requests are under way.
    pub(crate) const fn in_flight(&self) -> usize {
        self.all.in_flight
    }

    /// How many bytes of bodies wait in memory.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.all.waiting_bytes
    }

    /// The share of a tenant in the requests that may be under way.
    pub(crate) fn requests(&self, tenant: TenantId) -> Share {
        let free = MAX_IN_FLIGHT.saturating_sub(self.all.in_flight);
        Share::of(free, self.of(tenant).in_flight)
    }

    /// Its share of the memory, in bytes of bodies.
    pub(crate) fn memory(&self, tenant: TenantId) -> Share {
        let free = MAX_WAITING_BYTES.saturating_sub(self.all.waiting_bytes);
        Share::of(free, self.of(tenant).waiting_bytes)
    }

    /// Tenants that may have nothing more in memory.
    pub(crate) fn without_memory(&self) -> impl Iterator<Item = TenantId> {
        let is_used_up = |tenant: &TenantId| self.memory(*tenant).is_used_up();
        self.tenants.keys().copied().filter(is_used_up)
    }

    /// A body waits in memory.
    pub(crate) fn keep(&mut self, tenant: TenantId, bytes: usize) {
        self.change(tenant, |held| held.waiting_bytes += bytes);
    }

    /// Bodies wait there no more.
    pub(crate) fn let_go(&mut self, tenant: TenantId, bytes: usize) {
        if bytes > 0 {
            self.change(tenant, |held| {
                held.waiting_bytes = held.waiting_bytes.saturating_sub(bytes);
            });
        }
    }

    /// A request begins with a body that waited.
    pub(crate) fn begin(&mut self, tenant: TenantId, bytes: usize) {
        self.change(tenant, |held| {
            held.in_flight += 1;
            held.waiting_bytes = held.waiting_bytes.saturating_sub(bytes);
        });
    }

    /// A request has ended.
    pub(crate) fn end(&mut self, tenant: TenantId) {
        self.change(tenant, |held| {
            held.in_flight = held.in_flight.saturating_sub(1);
        });
    }

    fn of(&self, tenant: TenantId) -> Held {
        self.tenants.get(&tenant).copied().unwrap_or_default()
    }

    fn change(&mut self, tenant: TenantId, change: impl Fn(&mut Held)) {
        change(&mut self.all);
        let of_tenant = self.tenants.entry(tenant).or_default();
        change(of_tenant);
        if *of_tenant == Held::default() {
            self.tenants.remove(&tenant);
        }
    }
}

/// What a tenant has, and what it may have more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub own: usize,
    pub left: usize,
}

impl Share {
    fn of(free: usize, own: usize) -> Self {
        Self {
            own,
            left: (FOR_EACH_FREE * free).saturating_sub(own),
        }
    }

    /// Whether it may have nothing more.
    pub(crate) const fn is_used_up(self) -> bool {
        self.left == 0
    }

    /// Whether a good part of it is used: a quarter of everything, where a tenant is alone.
    pub(crate) const fn is_low(self) -> bool {
        self.own > self.left / 8
    }

    /// Whether most of it is: half of everything, where a tenant is alone.
    pub(crate) const fn is_short(self) -> bool {
        self.own > self.left / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Clock, Random};

    fn tenants<const N: usize>() -> [TenantId; N] {
        let (now, random) = (Clock::system().now(), Random::seeded(3));
        [(); N].map(|()| TenantId::new(now, &random))
    }

    /// Begins what it may; how many those are.
    fn begin_all(shares: &mut Shares, tenant: TenantId) -> usize {
        let mut begun = 0;
        while !shares.requests(tenant).is_used_up() {
            shares.begin(tenant, 0);
            begun += 1;
        }
        begun
    }

    #[test]
    fn one_tenant_never_has_everything_and_who_comes_next_finds_room() {
        let mut shares = Shares::default();
        let all: [TenantId; 20] = tenants();
        let begun = all.map(|tenant| begin_all(&mut shares, tenant));
        assert_eq!(begun[..3], [1_536, 384, 96]);
        // Each time one ends, each in turn begins what it may.
        for _ in 0..1_536 {
            for ends in all {
                if shares.of(ends).in_flight > 0 {
                    shares.end(ends);
                }
                for begins in all {
                    begin_all(&mut shares, begins);
                }
            }
        }
        let held = all.map(|tenant| shares.of(tenant).in_flight);
        let equal = MAX_IN_FLIGHT * 3 / 61;
        assert!(
            held.iter().all(|held| held.abs_diff(equal) <= 4),
            "{held:?}"
        );
        let [.., newcomer]: [TenantId; 21] = tenants();
        assert!(begin_all(&mut shares, newcomer) > 0);
    }

    #[test]
    fn bodies_of_one_tenant_leave_a_quarter_of_the_memory() {
        let mut shares = Shares::default();
        let [flood, other] = tenants();
        let body = MAX_WAITING_BYTES / 64;
        while !shares.memory(flood).is_used_up() {
            shares.keep(flood, body);
            let (kept, share) = (shares.waiting_bytes() / body, shares.memory(flood));
            assert_eq!((share.is_low(), share.is_short()), (kept > 16, kept > 32));
        }
        assert_eq!(shares.waiting_bytes(), MAX_WAITING_BYTES / 4 * 3);
        assert_eq!(shares.without_memory().collect::<Vec<_>>(), [flood]);
        shares.keep(other, body);
        assert!(!shares.memory(other).is_low());
        for (tenant, bytes) in [(flood, body * 48), (other, body)] {
            shares.let_go(tenant, bytes);
        }
        assert_eq!(shares.waiting_bytes(), 0);
        assert!(shares.tenants.is_empty(), "nothing is left to remember");
    }
}
