//! Tables, the nine goals, and plots of what was measured.

use std::fmt::Write as _;

use crate::contenders;
use crate::placement::Placement;
use crate::run::Results;
use crate::work::Work;

pub mod goals;
pub mod plot;

/// The tables and the goals, as text.
pub fn text(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = calls(&mut text, results);
    let _ = others(&mut text, results);
    let _ = missing(&mut text, results);
    let _ = goals::write(&mut text, results);
    text
}

fn calls(text: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(
        text,
        "\nA synchronous call, u64 to u64. Median of the rounds' medians [smallest – largest], and its multiple of the"
    )?;
    writeln!(
        text,
        "spinning limit, the futex floor and ipc-channel beside it; calls per second where both are free.\n"
    )?;
    write!(text, "{:38}", "")?;
    for placement in Placement::ALL {
        write!(text, " {:>31}", placement.to_string())?;
    }
    writeln!(text, " {:>11}", "per second")?;
    for contender in contenders::ALL {
        let cells = Placement::ALL.map(|placement| results.get(contender.name, Work::Call, 0, placement));
        if cells.iter().all(Option::is_none) {
            continue;
        }
        write!(text, "{:38}", contender.title)?;
        for (placement, cell) in Placement::ALL.into_iter().zip(cells) {
            let Some(measured) = cell else {
                write!(text, " {:>31}", "–")?;
                continue;
            };
            let medians = || measured.rounds.iter().map(|figures| figures.p50);
            let middle = results.median(contender.name, Work::Call, 0, placement).unwrap_or(f64::NAN);
            let (low, high) = (medians().fold(f64::INFINITY, f64::min), medians().fold(0.0, f64::max));
            write!(text, " {:>31}", format!("{} [{} – {}]", nanos(middle), nanos(low), nanos(high)))?;
        }
        let free = results.get(contender.name, Work::Call, 0, Placement::Free);
        let mean = free.and_then(|measured| crate::run::median(measured.rounds.iter().map(|figures| figures.mean)));
        match mean {
            Some(mean) => writeln!(text, " {:>11.0}", 1e9 / mean)?,
            None => writeln!(text)?,
        }
        ratios(text, results, contender.name)?;
    }
    Ok(())
}

/// A line of multiples, below a contender's.
fn ratios(text: &mut String, results: &Results, name: &str) -> std::fmt::Result {
    let of = |placement| {
        let ratio = |reference| results.ratio(name, reference, Work::Call, 0, placement);
        let all = crate::run::REFERENCES.map(|reference| match ratio(reference) {
            Some(ratio) => format!("{ratio:.2}×"),
            None => "–".to_owned(),
        });
        all.join(" / ")
    };
    let all = Placement::ALL.map(of);
    if all.iter().any(|ratios| ratios.contains('×')) {
        write!(text, "{:38}", "")?;
        all.iter().try_for_each(|ratios| write!(text, " {ratios:>31}"))?;
        writeln!(text)?;
    }
    Ok(())
}

fn others(text: &mut String, results: &Results) -> std::fmt::Result {
    for (work, sizes) in Work::OTHERS {
        let any = results.cells.keys().any(|cell| cell.work == *work);
        if !any {
            continue;
        }
        writeln!(text, "\n{}\n", work.title())?;
        for contender in contenders::ALL {
            let cells: Vec<_> = sizes
                .iter()
                .filter_map(|size| Some((*size, results.get(contender.name, *work, *size, Placement::Free)?)))
                .collect();
            if cells.is_empty() {
                continue;
            }
            write!(text, "{:38}", contender.title)?;
            for (size, measured) in cells {
                let middle = |figure: fn(&crate::measure::Figures) -> f64| {
                    crate::run::median(measured.rounds.iter().map(figure)).unwrap_or(f64::NAN)
                };
                let figure = match work {
                    Work::Idle => format!(
                        "{size}: {:.1} wake-ups/s, {:.0} KiB each",
                        middle(|figures| figures.p50),
                        middle(|figures| figures.mean)
                    ),
                    Work::Threads | Work::WorkingThreads => {
                        format!("{size}: {:.0} calls/s", 1e9 / middle(|figures| figures.p50))
                    }
                    Work::References => format!(
                        "{size}: {} B in the parent, {} B in the child",
                        number(middle(|figures| figures.p50)),
                        number(middle(|figures| figures.mean))
                    ),
                    Work::Releases => format!(
                        "{}: {}, {} in the child",
                        work.size(size),
                        number(middle(|figures| figures.p50)),
                        number(middle(|figures| figures.mean))
                    ),
                    _ if size == 0 => nanos(middle(|figures| figures.p50)),
                    _ => format!("{}: {}", work.size(size), nanos(middle(|figures| figures.p50))),
                };
                write!(text, " {figure:>24}")?;
            }
            writeln!(text)?;
        }
    }
    Ok(())
}

fn missing(text: &mut String, results: &Results) -> std::fmt::Result {
    if !results.missing.is_empty() {
        writeln!(text, "\nNot measured:\n")?;
    }
    results.missing.iter().try_for_each(|(what, reason)| writeln!(text, "{what}: {reason}"))
}

/// A time, in the unit that reads best.
pub fn nanos(nanos: f64) -> String {
    match nanos.abs() {
        size if size < 1e3 => format!("{nanos:.0} ns"),
        size if size < 1e6 => format!("{} µs", number(nanos / 1e3)),
        size if size < 1e9 => format!("{} ms", number(nanos / 1e6)),
        _ => format!("{} s", number(nanos / 1e9)),
    }
}

/// Three significant digits, or as many as there are before the point; none that say nothing.
pub fn number(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    let places = (2 - number.abs().log10().floor() as i32).clamp(0, 9);
    let text = format!("{number:.0$}", places.unsigned_abs() as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits() {
        let read =
            [(1.0 / 15.0, "0.0667"), (1.5, "1.5"), (11.846, "11.8"), (2.04, "2.04"), (1234.6, "1235"), (0.0, "0")];
        for (value, text) in read {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(99.96), "100");
        assert_eq!((nanos(184.4), nanos(1840.4), nanos(-12.0)), ("184 ns".into(), "1.84 µs".into(), "-12 ns".into()));
    }
}
