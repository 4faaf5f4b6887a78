//! Plots, as SVG.

use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::*;

use crate::contenders;
use crate::placement::Placement;
use crate::report::nanos;
use crate::run::Results;
use crate::work::Work;

const WIDTH: u32 = 900;
const LINE: u32 = 26;
const MARGIN: i32 = 16;
const NAMES: i32 = 300;

/// Bars, one for each contender, on a logarithmic scale: what a call takes when the system places both processes.
pub fn calls(results: &Results, path: &Path) -> anyhow::Result<()> {
    let mut bars: Vec<(&str, f64, bool)> = contenders::ALL
        .iter()
        .filter_map(|contender| {
            let median = results.median(contender.name, Work::Call, 0, Placement::Free)?;
            Some((contender.title, median, contender.name.starts_with("remote")))
        })
        .collect();
    bars.sort_by(|(_, one, _), (_, other, _)| one.total_cmp(other));
    let longest = bars.iter().map(|(_, median, _)| *median).fold(1_000.0, f64::max);
    let shortest = bars.iter().map(|(_, median, _)| *median).fold(100.0, f64::min) / 2.0;
    let height = LINE * u32::try_from(bars.len())? + 4 * MARGIN.unsigned_abs();
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    draw(&area, &bars, shortest, longest).map_err(|error| anyhow!("{}: {error}", path.display()))
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    bars: &[(&str, f64, bool)],
    shortest: f64,
    longest: f64,
) -> Drawn {
    area.fill(&WHITE)?;
    let title = TextStyle::from(("sans-serif", 15).into_font());
    area.draw_text("A synchronous call between two processes (median, logarithmic)", &title, (MARGIN, MARGIN))?;
    let room = f64::from(WIDTH) - f64::from(NAMES) - 110.0;
    let label = TextStyle::from(("sans-serif", 13).into_font());
    for (index, (title, median, own)) in bars.iter().enumerate() {
        let top = 3 * MARGIN + i32::try_from(index)? * LINE as i32;
        let share = (median / shortest).ln() / (longest / shortest).ln();
        let right = NAMES + (room * share) as i32;
        let color = if *own { RGBColor(200, 60, 40) } else { RGBColor(120, 140, 170) };
        area.draw_text(title, &label, (MARGIN, top + 3))?;
        area.draw(&Rectangle::new([(NAMES, top), (right, top + LINE as i32 - 8)], color.filled()))?;
        area.draw_text(&nanos(*median), &label, (right + 8, top + 3))?;
    }
    Ok(area.present()?)
}
