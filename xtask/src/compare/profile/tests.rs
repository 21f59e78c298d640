//! What `perf` printed, reduced.

use super::*;

/// As `perf script -F ip,sym,dso` wrote it.
const SCRIPT: &str = "
\tffffffff81b6a460 _copy_from_iter ([kernel.kallsyms])
\tffffffff8200e603 tcp_sendmsg_locked ([kernel.kallsyms])
\tffffffff81e2f330 __x64_sys_sendto ([kernel.kallsyms])
\tffffffff821ed511 do_syscall_64 ([kernel.kallsyms])
\tffffffff81000130 entry_SYSCALL_64_after_hwframe ([kernel.kallsyms])
\t          10aba4 __send (/usr/lib/x86_64-linux-gnu/libc.so.6)


\t          16da9b __memmove_avx512_unaligned_erms (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t48066f48fee16237 [unknown] ([unknown])


\tffffffff8161f693 clear_page_erms ([kernel.kallsyms])
\tffffffff821f0d5c exc_page_fault ([kernel.kallsyms])
\tffffffff81000bc6 asm_exc_page_fault ([kernel.kallsyms])
\tffffffff82010248 _copy_to_iter ([kernel.kallsyms])
\tffffffff81e2f5d0 __x64_sys_recvfrom ([kernel.kallsyms])
\tffffffff821ed511 do_syscall_64 ([kernel.kallsyms])


\tffffffff821f0d5c exc_page_fault ([kernel.kallsyms])
\tffffffff81000bc6 asm_exc_page_fault ([kernel.kallsyms])
\t          16db75 __memmove_avx512_unaligned_erms (/usr/lib/x86_64-linux-gnu/libc.so.6)


\tffffffff813a2413 finish_task_switch.isra.0 ([kernel.kallsyms])
\tffffffff81415441 exit_to_user_mode_loop ([kernel.kallsyms])
\tffffffff821ed6db do_syscall_64 ([kernel.kallsyms])
\tffffffff81000130 entry_SYSCALL_64_after_hwframe ([kernel.kallsyms])


\tffffffff821f39e5 irqentry_exit_to_user_mode ([kernel.kallsyms])
\tffffffff81000e46 asm_sysvec_reschedule_ipi ([kernel.kallsyms])
\t          16db20 __memmove_avx512_unaligned_erms (/usr/lib/x86_64-linux-gnu/libc.so.6)


\t          2fdb10 <warren_net::Link<T> as core::future::Future>::poll (/opt/target/release/warren)


\t          3fdb10 warren_frontend::amqp091::Connection::settle_inbox (/opt/target/release/warren)
";

/// As `perf stat` wrote it.
const STAT: &str = "# started on Fri Nov 27 09:35:54 2026


 Performance counter stats for process id '12345':

               500      context-switches                 #    0.3 K/sec
             3,000      sched:sched_waking
            15,470      raw_syscalls:sys_enter
                 0      syscalls:sys_enter_accept4
             8,000      syscalls:sys_enter_recvfrom
     <not counted>      syscalls:sys_enter_sendto

       2.000000000 seconds time elapsed

";

#[test]
fn samples_belong_to_calls_to_faults_and_to_functions() {
    let samples = Samples::parse(SCRIPT);
    assert_eq!(samples.all, 8);
    let kernel: Vec<(&str, u64)> = samples
        .kernel
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(
        kernel,
        [
            (ENTRY, 1),
            (OTHER, 1),
            (PAGE_FAULTS, 1),
            // The fault of its copying is its own.
            ("recvfrom", 1),
            ("sendto", 1),
        ]
    );
    let functions: Vec<&str> = samples.functions.keys().map(String::as_str).collect();
    assert_eq!(
        functions,
        [
            "__memmove_avx512_unaligned_erms (libc.so.6)",
            "amqp091::Connection::settle_inbox",
            "warren_net::Link::poll",
        ]
    );
    assert_eq!((samples.percent("kernel"), samples.percent("user")), (62.5, 37.5));
    assert_eq!((samples.percent("sendto"), samples.percent("futex")), (12.5, 0.0));
    assert_eq!(Samples::parse("nothing\n"), Samples::default());
}

#[test]
fn samples_of_two_loads_add_up() {
    let mut samples = Samples::parse(SCRIPT);
    samples.add(Samples::parse(SCRIPT));
    assert_eq!((samples.all, samples.in_kernel()), (16, 10));
    assert_eq!(samples.kernel["sendto"], 2);
}

#[test]
fn names_are_the_end_of_a_path() {
    for (symbol, expected) in [
        ("mi_free", "mi_free"),
        ("a::b::c::d::h0123456789abcdef", "b::c::d"),
        ("a::b::c::hello", "b::c::hello"),
        ("core::ptr::drop_in_place<a::B<c::D>>", "core::ptr::drop_in_place"),
        ("<&T as a::Trait>::go::{{closure}}", "&T::go::{closure}"),
        ("<a::B<fn(u8) -> u8> as Trait>::go", "a::B::go"),
        ("a::<impl b::C for d::E>::go", "a::go"),
        ("a::call<fn() -> (), u8>::go", "a::call::go"),
        ("[unknown]", "[unknown]"),
    ] {
        assert_eq!(short(symbol), expected, "{symbol}");
    }
    assert_eq!(short(&"x".repeat(100)).len(), NAME_MAX);
}

#[test]
fn calls_are_of_one_message() {
    let counts = Counts::parse(STAT);
    let calls = counts.at_rate("message", 2000.0).unwrap();
    assert_eq!(calls, counts.over("message", 4000.0).unwrap());
    assert_eq!(calls.by_name, BTreeMap::from([("recvfrom".to_owned(), 2.0)]));
    assert_eq!((calls.all, calls.wakeups, calls.switches), (3.8675, 0.75, 0.125));
    let few = counts.over("message", 4e6).unwrap();
    assert_eq!((few.of.as_str(), few.all), ("1,000 messages", 3.8675));
    assert_eq!(few.by_name, calls.by_name);
    assert_eq!(counts.at_rate("message", 0.0), None);
    assert_eq!(Counts::parse("perf: no such event\n").over("message", 1.0), None);
}

#[test]
fn a_few_samples_are_no_profile() {
    assert_eq!(Profile::new(Samples::parse(SCRIPT), None), None);
    let functions = (1..=20).map(|count| (format!("f{count}"), count)).collect();
    let samples = Samples {
        all: 210,
        functions,
        ..Samples::default()
    };
    let kept = Profile::new(samples, None).unwrap().samples;
    assert_eq!((kept.all, kept.functions.len()), (210, SYMBOLS));
    assert!(kept.functions.contains_key("f13") && !kept.functions.contains_key("f12"));
}
