//! Loads for a broker that keeps messages: fill queues and wait for every confirm, drain them, and
//! measure how long single confirms take.

use super::*;
use std::collections::VecDeque;

/// Resident memory of a process in KiB.
fn resident_kib(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn queue_name(a: &Args, i: usize) -> String {
    format!("{}-{i}", a.get("prefix", "backlog"))
}

fn confirm_select(s: &mut TcpStream) -> R<()> {
    let mut o = vec![];
    method(&mut o, 1, 85, 10, |o| o.push(0));
    s.write_all(&o)?;
    expect(s, 85, 11)?;
    Ok(())
}

fn qos(s: &mut TcpStream, prefetch: usize) -> R<()> {
    let mut o = vec![];
    method(&mut o, 1, 60, 10, |o| {
        o.extend_from_slice(&[0, 0, 0, 0]);
        o.extend_from_slice(&(prefetch as u16).to_be_bytes());
        o.push(0);
    });
    s.write_all(&o)?;
    expect(s, 60, 11)?;
    Ok(())
}

/// The declaration of a durable queue (or of one that is neither durable nor auto-delete).
fn declare_kept(s: &mut TcpStream, q: &str, durable: bool, kind: &str) -> R<()> {
    let mut o = vec![];
    method(&mut o, 1, 50, 10, |o| {
        o.extend_from_slice(&[0, 0]);
        put_sstr(o, q.as_bytes());
        o.push(if durable { 2 } else { 0 });
        let mut table = vec![];
        if !kind.is_empty() {
            put_sstr(&mut table, b"x-queue-type");
            table.push(b'S');
            put_lstr(&mut table, kind.as_bytes());
        }
        put_lstr(o, &table);
    });
    s.write_all(&o)?;
    expect(s, 50, 11)?;
    Ok(())
}

/// Reads confirms; answers the number of messages confirmed by what was read, and notes each tag.
fn confirms(b: &[u8], mut told: impl FnMut(u64, bool)) -> usize {
    let mut i = 0;
    while let Ok(Some((ty, _, n))) = peek(&b[i..]) {
        if ty == 1 && be32(&b[i + 7..]) == (60 << 16 | 80) {
            told(be64(&b[i + 11..]), b[i + 19] & 1 != 0);
        } else if ty == 1 && be32(&b[i + 7..]) == (60 << 16 | 120) {
            panic!("a message was refused");
        }
        i += n + 8;
    }
    i
}

/// Publishes `--count` messages of `--size` round robin to `--queues` queues, with at most `--confirm`
/// unconfirmed, and waits for all confirms.
pub fn fill(a: &Args) -> R<()> {
    let (count, size) = (a.num("count", 1_000_000) as u64, a.num("size", 100));
    let (queues, window) = (a.num("queues", 1), a.num("confirm", 1000) as u64);
    let durable = !a.has("transient");
    let pid = a.num("broker-pid", 0) as i32;
    let mut s = connect(a.get("addr", "127.0.0.1:5672"))?;
    let mut encoded = vec![];
    for i in 0..queues {
        if !a.has("no-declare") {
            declare_kept(&mut s, &queue_name(a, i), durable, a.get("type", ""))?;
        }
        let mut o = vec![];
        message(&mut o, &queue_name(a, i), size, durable);
        encoded.push(o);
    }
    confirm_select(&mut s)?;
    let (rss, cpu_before, started) = (resident_kib(pid), cpu(pid), Instant::now());
    let (mut sent, mut confirmed) = (0u64, 0u64);
    let mut most_kib = rss;
    let mut buffer = vec![0; 1 << 16];
    let (mut len, mut o) = (0, vec![]);
    let batch = (window / 2).clamp(1, 1 + 65536 / (size as u64 + 60));
    while confirmed < count {
        o.clear();
        while sent < count && sent - confirmed < window && (o.len() as u64) < batch * (size as u64 + 60) {
            o.extend_from_slice(&encoded[(sent % queues as u64) as usize]);
            sent += 1;
        }
        s.write_all(&o)?;
        if sent - confirmed < window && sent < count {
            s.set_nonblocking(true)?;
        }
        match s.read(&mut buffer[len..]) {
            Ok(0) => return Err(bad("the broker closed")),
            Ok(n) => len += n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        s.set_nonblocking(false)?;
        let used = confirms(&buffer[..len], |tag, multiple| {
            if multiple {
                confirmed = confirmed.max(tag);
            } else {
                // Single ones come in any order; together they are as many as were sent.
                confirmed = confirmed.max(tag.min(confirmed + 1));
            }
        });
        buffer.copy_within(used..len, 0);
        len -= used;
        if sent % 50_000 < batch {
            most_kib = most_kib.max(resident_kib(pid));
        }
    }
    let secs = started.elapsed().as_secs_f64();
    println!(
        "{{\"fill\":{count},\"size\":{size},\"queues\":{queues},\"confirm\":{window},\"per_s\":{:.0},\"broker_cpu_s_per_M\":{:.3},\"rss_before_MiB\":{:.1},\"rss_most_MiB\":{:.1},\"rss_after_MiB\":{:.1}}}",
        count as f64 / secs,
        (cpu(pid) - cpu_before) * 1e6 / count as f64,
        rss as f64 / 1024.0,
        most_kib as f64 / 1024.0,
        resident_kib(pid) as f64 / 1024.0,
    );
    Ok(())
}

/// Consumes `--count` messages of one queue, with one ack for `--ack` (0: none).
pub fn drain(a: &Args) -> R<()> {
    let count = a.num("count", 1_000_000) as u64;
    let ackn = a.num("ack", 100) as u64;
    let pid = a.num("broker-pid", 0) as i32;
    let started = Instant::now();
    let mut c = connect(a.get("addr", "127.0.0.1:5672"))?;
    if ackn > 0 {
        qos(&mut c, a.num("prefetch", 5000))?;
    }
    consume(&mut c, &queue_name(a, a.num("queue", 0)), ackn == 0)?;
    let cpu_before = cpu(pid);
    let mut b = vec![0u8; 1 << 18];
    let (mut len, mut tag, mut acked) = (0, 0u64, 0u64);
    let (mut o, mut first) = (vec![], None);
    let mut most_kib = 0;
    while tag < count {
        let n = c.read(&mut b[len..])?;
        if n == 0 {
            return Err(bad("the broker closed"));
        }
        len += n;
        let mut i = 0;
        while let Ok(Some((ty, _, n))) = peek(&b[i..len]) {
            if ty == 1 && be32(&b[i + 7..]) == (60 << 16 | 60) {
                tag += 1;
                first.get_or_insert_with(Instant::now);
            }
            i += n + 8;
        }
        b.copy_within(i..len, 0);
        len -= i;
        if ackn > 0 && (tag - acked >= ackn || tag >= count) {
            o.clear();
            method(&mut o, 1, 60, 80, |o| {
                o.extend_from_slice(&tag.to_be_bytes());
                o.push(1);
            });
            c.write_all(&o)?;
            acked = tag;
            most_kib = most_kib.max(resident_kib(pid));
        }
    }
    let first_ms = first.map_or(0.0, |first| (first - started).as_secs_f64() * 1e3);
    let secs = first.map_or(0.0, |first| first.elapsed().as_secs_f64());
    // Acks are read before the connection ends.
    let mut o = vec![];
    method(&mut o, 1, 20, 40, |o| o.extend_from_slice(&[0, 200, 0, 0, 0, 0, 0]));
    c.write_all(&o)?;
    let _ = c.read(&mut b);
    println!(
        "{{\"drain\":{count},\"ack\":{ackn},\"first_ms\":{first_ms:.1},\"per_s\":{:.0},\"broker_cpu_s_per_M\":{:.3},\"rss_most_MiB\":{:.1}}}",
        count as f64 / secs,
        (cpu(pid) - cpu_before) * 1e6 / count as f64,
        most_kib as f64 / 1024.0,
    );
    Ok(())
}

/// Publishes at `--rate` a second for `--secs`, and tells how long confirms take.
pub fn confirm_latency(a: &Args) -> R<()> {
    let (rate, secs, size) = (a.num("rate", 2000), a.num("secs", 10), a.num("size", 1024));
    let mut s = connect(a.get("addr", "127.0.0.1:5672"))?;
    declare_kept(&mut s, &queue_name(a, 0), true, a.get("type", ""))?;
    confirm_select(&mut s)?;
    let mut reader = s.try_clone()?;
    let sent: Arc<Mutex<VecDeque<(u64, Instant)>>> = Arc::default();
    let times = Arc::clone(&sent);
    let total = (rate * secs) as u64;
    let took = std::thread::spawn(move || {
        let (mut took, mut done) = (vec![], 0);
        let (mut buffer, mut len) = (vec![0; 1 << 16], 0);
        while done < total {
            let Ok(n) = reader.read(&mut buffer[len..]) else { break };
            if n == 0 {
                break;
            }
            let now = Instant::now();
            len += n;
            let used = confirms(&buffer[..len], |tag, multiple| {
                let mut sent = times.lock().unwrap();
                while sent.front().is_some_and(|(first, _)| if multiple { *first <= tag } else { *first == tag }) {
                    if let Some((_, at)) = sent.pop_front() {
                        took.push((now - at).as_secs_f64() * 1e6);
                        done += 1;
                    }
                }
            });
            buffer.copy_within(used..len, 0);
            len -= used;
        }
        took
    });
    let mut encoded = vec![];
    message(&mut encoded, &queue_name(a, 0), size, true);
    let started = Instant::now();
    for tag in 1..=total {
        let due = started + Duration::from_secs_f64(tag as f64 / rate as f64);
        while Instant::now() < due {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        // From when it was due, so that a stall counts for all that it held up.
        sent.lock().unwrap().push_back((tag, due));
        s.write_all(&encoded)?;
    }
    let mut took = took.join().map_err(|_| bad("the reader failed"))?;
    let slow = a.num("slow", 0) as f64;
    if slow > 0.0 {
        print_slow(&took, slow, rate as f64);
    }
    took.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| took.get(((took.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(0.0);
    println!(
        "{{\"confirm_latency\":{},\"rate\":{rate},\"size\":{size},\"p50_us\":{:.0},\"p99_us\":{:.0},\"p999_us\":{:.0},\"max_us\":{:.0}}}",
        took.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    Ok(())
}

/// Tells when confirms took longer than `slow` us: the time of each run of them, in seconds from the start.
fn print_slow(took: &[f64], slow: f64, rate: f64) {
    let mut first = 0;
    while first < took.len() {
        let length = took[first..].iter().take_while(|took| **took > slow).count();
        if length > 0 {
            let most = took[first..first + length].iter().copied().fold(0.0, f64::max);
            println!("{{\"slow_at_s\":{:.4},\"confirms\":{length},\"most_us\":{most:.0}}}", first as f64 / rate);
        }
        first += length.max(1);
    }
}

/// What `fdatasync` alone costs in `--dir`: `--size` bytes written over and over into space written before, at
/// most `--rate` a second (0: as fast as it goes).
pub fn sync_latency(a: &Args) -> R<()> {
    use std::os::unix::fs::FileExt;
    let (rate, secs, size) = (a.num("rate", 0), a.num("secs", 5), a.num("size", 1200));
    let path = format!("{}/sync-probe", a.get("dir", "."));
    let file = std::fs::OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path)?;
    let zeros = vec![0u8; 1 << 20];
    for i in 0..64u64 {
        file.write_all_at(&zeros, i << 20)?;
    }
    file.sync_all()?;
    let bytes = vec![7u8; size];
    let (started, mut took, mut late, mut at) = (Instant::now(), vec![], vec![], 0u64);
    while started.elapsed().as_secs() < secs as u64 {
        let mut due = Instant::now();
        if rate > 0 {
            due = started + Duration::from_secs_f64(took.len() as f64 / rate as f64);
            while Instant::now() < due {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
        let begun = Instant::now();
        file.write_all_at(&bytes, at)?;
        file.sync_data()?;
        took.push(begun.elapsed().as_secs_f64() * 1e6);
        late.push(due.elapsed().as_secs_f64() * 1e6);
        at = (at + size as u64) % (63 << 20);
    }
    std::fs::remove_file(&path)?;
    let per_s = took.len() as f64 / started.elapsed().as_secs_f64();
    let slow = a.num("slow", 0) as f64;
    if slow > 0.0 {
        print_slow(&late, slow, per_s);
    }
    // From when it was begun, and from when it was due: a stall then counts for all that it held up.
    let [begun, due] = [&mut took, &mut late].map(|times| {
        times.sort_unstable_by(f64::total_cmp);
        [0.5, 0.99, 0.999].map(|part| times[((times.len() as f64 - 1.0) * part) as usize])
    });
    println!(
        "{{\"syncs_per_s\":{per_s:.0},\"p50_us\":{:.0},\"p99_us\":{:.0},\"p999_us\":{:.0},\"due_p50_us\":{:.0},\"due_p99_us\":{:.0},\"due_p999_us\":{:.0}}}",
        begun[0], begun[1], begun[2], due[0], due[1], due[2]
    );
    Ok(())
}

/// Publishes `--count` messages to a queue, takes them and never settles them, until it is killed.
pub fn hold(a: &Args) -> R<()> {
    let count = a.num("count", 1) as u64;
    fill(a)?;
    let mut c = connect(a.get("addr", "127.0.0.1:5672"))?;
    qos(&mut c, count as usize)?;
    consume(&mut c, &queue_name(a, 0), false)?;
    let mut b = vec![0u8; 1 << 16];
    while c.read(&mut b)? > 0 {}
    Ok(())
}
