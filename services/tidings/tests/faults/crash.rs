//! Crash after crash under load, with an account of every id. `cargo xtask crash` runs these long and alone.

use crate::fleet::Fleet;
use crate::load::{Account, Load};
use crate::servers::{Servers, variable};
use crate::{HEALED, TURN, scene};
use domain::Random;
use std::time::Duration;
use testkit::{Proxy, ServerControl};
use tokio::time::sleep;

/// How many processes are killed; few, unless this says more.
const KILLS: &str = "TIDINGS_TEST_KILLS";
const FEW: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_installation_that_is_killed_again_and_again_loses_nothing() {
    let _turn = TURN.lock().await;
    let dice = Dice::new();
    let mut fleet = Fleet::embedded().await;
    let load = Load::start(&fleet.addresses()).await;
    let kills = kills();
    for number in 0..kills {
        // Now and then it is frozen before: everybody's patience ends, and comes back.
        if number % 10 == 9 {
            fleet.process(0).freeze();
            sleep(dice.millis(4_000)).await;
            fleet.process(0).thaw();
        }
        sleep(dice.millis(1_500)).await;
        fleet.process(0).kill();
        fleet.start_again(0).await;
        load.use_addresses(&fleet.addresses());
    }
    load.grow_by(20).await;
    let account = load.end().await;
    report("embedded", kills, &dice, &account);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_distributed_installation_whose_processes_and_servers_crash_loses_nothing() {
    let Some((mut servers, postgres, rabbit)) = scene().await else {
        return;
    };
    let _turn = TURN.lock().await;
    let dice = Dice::new();
    let lines = Lines::before(&mut servers).await;
    let mut fleet = Fleet::distributed(servers.settings()).await;
    let load = Load::start(&fleet.addresses()).await;
    let kills = kills();
    for number in 0..kills {
        disturb(&dice, number, &fleet, &lines, &[&postgres, &rabbit]).await;
        sleep(dice.millis(1_000)).await;
        let member = dice.below(fleet.size());
        fleet.process(member).kill();
        // Whoever looks after the processes takes a moment to notice.
        sleep(dice.millis(500)).await;
        fleet.start_again(member).await;
        load.use_addresses(&fleet.addresses());
    }
    fleet.wait_until_ready(HEALED).await;
    load.grow_by(20).await;
    let account = load.end().await;
    report("distributed", kills, &dice, &account);
    fleet.end().await;
}

/// What happens besides the kills.
async fn disturb(
    dice: &Dice,
    number: usize,
    fleet: &Fleet,
    lines: &Lines,
    servers: &[&ServerControl; 2],
) {
    match number % 5 {
        1 => {
            let process = fleet.process(dice.below(fleet.size()));
            process.freeze();
            sleep(dice.millis(5_000)).await;
            process.thaw();
        }
        2 => lines.cut(dice.millis(1_500)).await,
        3 => lines.freeze(dice.millis(3_000)).await,
        // Each of them once in ten.
        4 => servers[number / 5 % 2].restart().await,
        _ => return,
    }
    fleet.wait_until_ready(HEALED).await;
}

/// The connections to the servers.
struct Lines([Proxy; 2]);

impl Lines {
    /// From here on the URLs of the servers go through them.
    async fn before(servers: &mut Servers) -> Self {
        Self([
            behind(&mut servers.database).await,
            behind(&mut servers.amqp).await,
        ])
    }

    async fn cut(&self, length: Duration) {
        self.0.iter().for_each(Proxy::cut);
        sleep(length).await;
        self.heal().await;
    }

    async fn freeze(&self, length: Duration) {
        self.0.iter().for_each(Proxy::freeze);
        sleep(length).await;
        self.heal().await;
    }

    async fn heal(&self) {
        for proxy in &self.0 {
            proxy.heal().await;
        }
    }
}

async fn behind(url: &mut String) -> Proxy {
    let (_, server) = url.split_once('@').unwrap();
    let target = server.split('/').next().unwrap().to_owned();
    let proxy = Proxy::start(&target).await;
    *url = proxy.url(url);
    proxy
}

/// Chances, which a seed repeats as far as the machine lets it.
struct Dice(Random, u64);

impl Dice {
    fn new() -> Self {
        let seed = u64::from_le_bytes(Random::system().bytes());
        Self(Random::seeded(seed), seed)
    }

    fn below(&self, limit: usize) -> usize {
        usize::try_from(u64::from_le_bytes(self.0.bytes()) % limit as u64).unwrap()
    }

    fn millis(&self, most: usize) -> Duration {
        Duration::from_millis(self.below(most) as u64)
    }
}

fn kills() -> usize {
    variable(KILLS).map_or(FEW, |number| number.parse().unwrap())
}

#[expect(clippy::print_stdout, reason = "the table is what the run is for")]
fn report(mode: &str, kills: usize, dice: &Dice, account: &Account) {
    println!("\n{mode}: {kills} kills, seed {}", dice.1);
    for (what, number) in [
        ("acknowledged and told", account.told),
        ("  of these told twice, same id", account.told_twice),
        ("told under two ids", account.two_ids),
        ("told but never acknowledged", account.never_acknowledged),
        ("lost", account.lost),
    ] {
        println!("{what:<32}{number:>9}");
    }
    assert_eq!((account.lost, account.two_ids), (0, 0));
    assert!(account.told > 0);
}
