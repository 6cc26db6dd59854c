//! Many threads on several chains at once: none waits for ever, nothing acknowledged is lost,
//! nothing forgotten is said.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Extent, Training, generate_mixed};
use super::*;
use crate::rng::Rng;
use crate::storage::Forget;

/// As long as any thread may take for what it has begun when the others have ended.
const STUCK: Duration = Duration::from_secs(60);

const CHAINS: usize = 3;

/// How long the threads go on; more with `CHAFFINCH_SECONDS`.
fn lasts() -> Duration {
    let seconds = std::env::var("CHAFFINCH_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// What is known of one chain's messages: text by author, who wrote one batch each.
#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<String, Vec<String>>,
    /// What was forgotten, by the words that only it had.
    gone: HashSet<String>,
}

struct World {
    chains: Vec<Arc<Chain>>,
    told: Vec<Mutex<Told>>,
    over: AtomicBool,
    done: [AtomicU64; 6],
}

impl World {
    fn told(&self, chain: usize) -> MutexGuard<'_, Told> {
        self.told[chain].lock().unwrap()
    }

    fn goes_on(&self, kind: usize) -> bool {
        self.done[kind].fetch_add(1, Ordering::Relaxed);
        !self.over.load(Ordering::Relaxed)
    }

    /// Every word that was forgotten before now.
    fn gone(&self) -> HashSet<String> {
        (0..CHAINS)
            .flat_map(|chain| self.told(chain).gone.iter().cloned().collect::<Vec<_>>())
            .collect()
    }
}

/// Such as `the cat sat u1x17 on mats`, with one word that no other has.
fn text(chain: usize, unique: &str, rng: &mut Rng) -> String {
    let word = |rng: &mut Rng| ["the", "cat", "sat", "on", "mats"][rng.below_u64(5) as usize];
    format!(
        "{} {} {unique} {} c{chain}",
        word(rng),
        word(rng),
        word(rng)
    )
}

/// Adds messages, or trains from a file of them, and says when that was acknowledged.
fn learns(world: &World, thread: usize) {
    let mut rng = Rng::seeded(thread as u64);
    for batch in 0.. {
        if !world.goes_on(0) {
            break;
        }
        let chain = (batch + thread) % CHAINS;
        let author = format!("a{thread}b{batch}");
        let texts: Vec<String> = (0..=rng.below_u64(30))
            .map(|number| text(chain, &format!("u{thread}x{batch}x{number}"), &mut rng))
            .collect();
        if batch % 7 == 3 {
            let line = |(number, text): (usize, &String)| {
                format!(
                    "{{\"id\": \"f{author}x{number}\", \"author\": \"{author}\", \"text\": \"{text}\"}}\n"
                )
            };
            let file: String = texts.iter().enumerate().map(line).collect();
            let mut file = source(&author, &file, Format::Ndjson);
            world.chains[chain]
                .train(&author, &mut file, Training::default(), &mut |_| true)
                .unwrap();
        } else {
            let id = |number: usize| {
                if number.is_multiple_of(2) {
                    String::new()
                } else {
                    format!("m{author}x{number}")
                }
            };
            let record = |(number, text): (usize, &String)| record(&id(number), &author, "", text);
            let records: Vec<Record> = texts.iter().enumerate().map(record).collect();
            assert_eq!(
                world.chains[chain].add(&records).unwrap().learned,
                records.len() as u64
            );
        }
        world.told(chain).acknowledged.insert(author, texts);
    }
}

/// Mixes chains in an order of its own. What had been forgotten before is not said.
fn speaks_of_all(world: &World, thread: usize) {
    let orders: [&[usize]; 4] = [&[0, 1, 2], &[2, 1, 0], &[1, 1, 0], &[2]];
    for turn in 0.. {
        if !world.goes_on(1) {
            break;
        }
        let order = orders[(turn + thread) % orders.len()];
        let chains: Vec<(&Chain, u32)> = order
            .iter()
            .map(|&chain| (&*world.chains[chain], 1 + chain as u32))
            .collect();
        let gone = world.gone();
        let ask = Ask {
            novel: turn % 3 == 0,
            max_tries: 20,
            ..Ask::default()
        };
        match generate_mixed(&chains, &ask, 40, None) {
            Ok(said) => {
                for one in said {
                    let back = one.text.split(' ').find(|word| gone.contains(*word));
                    assert_eq!(back, None, "{}", one.text);
                    let other = one
                        .text
                        .split(' ')
                        .filter_map(|word| word.strip_prefix('c')?.parse().ok());
                    assert!(
                        { other }.all(|chain: usize| order.contains(&chain)),
                        "{order:?}: {}",
                        one.text
                    );
                }
            }
            Err(Error::NothingNew(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Forgets what one author wrote, which is known to be stored.
fn forgets(world: &World) {
    let mut rng = Rng::seeded(77);
    for turn in 0.. {
        if !world.goes_on(2) {
            break;
        }
        thread::sleep(Duration::from_millis(3));
        let chain = turn % CHAINS;
        let author = {
            let told = world.told(chain);
            let all = told.acknowledged.len() as u64;
            told.acknowledged
                .keys()
                .nth(rng.below_u64(all) as usize)
                .cloned()
        };
        let Some(author) = author else { continue };
        let count = world.chains[chain]
            .forget(&Forget::Author(author.clone()))
            .unwrap();
        let mut told = world.told(chain);
        let texts = told.acknowledged.remove(&author).unwrap();
        assert_eq!(count, texts.len() as u64, "{author}");
        let unique = |text: &String| {
            text.split(' ')
                .find(|word| word.starts_with('u'))
                .unwrap()
                .to_owned()
        };
        told.gone.extend(texts.iter().map(unique));
    }
}

fn merges(world: &World) {
    for turn in 0.. {
        if !world.goes_on(3) {
            break;
        }
        thread::sleep(Duration::from_millis(5));
        let extent = if turn % 5 == 0 {
            Extent::Whole
        } else {
            Extent::Due
        };
        world.chains[turn % CHAINS].merge(extent).unwrap();
    }
}

fn looks(world: &World) {
    for turn in 0.. {
        if !world.goes_on(4) {
            break;
        }
        let chain = &world.chains[turn % CHAINS];
        assert_eq!(chain.stats().unwrap().damage, [""; 0]);
        chain.references("the cat sat on", 3).unwrap();
        chain.illustration("the cat sat on", None).unwrap();
        assert!(chain.memory_bytes() < 1 << 30);
        let _ = chain.wants_merge();
        if turn % 3 == 0 {
            assert_eq!(chain.verify().unwrap().damage, [""; 0]);
            chain.export(&mut Vec::new()).unwrap();
        }
    }
}

/// Another process: what was forgotten before it looked is not there.
fn reads(world: &World) {
    for turn in 0.. {
        if !world.goes_on(5) {
            break;
        }
        let gone = world.gone();
        let directory = world.chains[turn % CHAINS].directory();
        let reader = Chain::open(directory, &Opening::default()).unwrap();
        assert_eq!(reader.stats().unwrap().damage, [""; 0]);
        for text in texts_read(&reader) {
            assert!(
                !text.split(' ').any(|word| gone.contains(word)),
                "{text} is still read"
            );
        }
    }
}

/// As `texts`, of a reader whose files a writer may replace meanwhile.
fn texts_read(reader: &Chain) -> Vec<String> {
    let ask = Ask {
        novel: false,
        ..Ask::default()
    };
    reader.generate(&ask, 100, None).map_or(Vec::new(), |said| {
        said.into_iter().map(|one| one.text).collect()
    })
}

type Task = Box<dyn Fn(&World) + Send>;

#[test]
fn threads_on_several_chains_lose_nothing_and_never_wait_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let chain = |number: usize| {
        let mut chain = open(&directory.path().join(number.to_string()));
        chain.segment_places = 2000;
        Arc::new(chain)
    };
    let world = Arc::new(World {
        chains: (0..CHAINS).map(chain).collect(),
        told: (0..CHAINS).map(|_| Mutex::default()).collect(),
        over: AtomicBool::new(false),
        done: Default::default(),
    });
    let tasks: Vec<(&str, Task)> = vec![
        ("learns", Box::new(|world| learns(world, 0))),
        ("learns too", Box::new(|world| learns(world, 1))),
        ("speaks", Box::new(|world| speaks_of_all(world, 0))),
        ("speaks too", Box::new(|world| speaks_of_all(world, 1))),
        ("forgets", Box::new(forgets)),
        ("merges", Box::new(merges)),
        ("looks", Box::new(looks)),
        ("reads", Box::new(reads)),
    ];
    let (ended, ends) = mpsc::channel();
    let mut left: Vec<&str> = tasks.iter().map(|(name, _)| *name).collect();
    let threads: Vec<_> = tasks
        .into_iter()
        .map(|(name, task)| {
            let (world, ended) = (Arc::clone(&world), ended.clone());
            thread::spawn(move || {
                task(&world);
                ended.send(name).unwrap();
            })
        })
        .collect();
    drop(ended);
    thread::sleep(lasts());
    world.over.store(true, Ordering::Relaxed);
    let deadline = Instant::now() + STUCK;
    while !left.is_empty() {
        match ends.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(name) => left.retain(|other| *other != name),
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{left:?} wait for ever"),
            // What one of them found is shown by joining it.
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let done: Vec<u64> = world
        .done
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .collect();
    assert!(done.iter().all(|&count| count > 3), "{done:?}");
    let World { chains, told, .. } = Arc::into_inner(world).unwrap();
    for (chain, told) in chains.into_iter().zip(told) {
        let told = told.into_inner().unwrap();
        let mut expected: Vec<&String> = told.acknowledged.values().flatten().collect();
        expected.sort();
        assert!(!told.gone.is_empty() && !expected.is_empty());
        let path = chain.directory().to_owned();
        assert!(
            texts(&chain).iter().eq(expected.iter().copied()),
            "as it stands"
        );
        drop(Arc::into_inner(chain).unwrap());
        let chain = open(&path);
        assert!(
            texts(&chain).iter().eq(expected.iter().copied()),
            "opened again"
        );
        assert_eq!(chain.stats().unwrap().damage, [""; 0]);
        chain.merge(Extent::Whole).unwrap();
        assert!(texts(&chain).iter().eq(expected.iter().copied()), "merged");
        assert_eq!(chain.verify().unwrap().damage, [""; 0]);
    }
}
