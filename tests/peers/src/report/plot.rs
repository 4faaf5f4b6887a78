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
    let title = "A synchronous call between two processes".to_owned();
    draw_all(&[Group::new(results, title, Work::Call, 0)], path)
}

/// The same for other work, whose contenders are fewer.
pub fn others(results: &Results, path: &Path) -> anyhow::Result<()> {
    let group = |(work, size): (Work, usize)| {
        let title = if size == 0 { work.title().to_owned() } else { format!("{}: {}", work.title(), work.size(size)) };
        Group::new(results, title, work, size)
    };
    let groups: Vec<_> = SHOWN.into_iter().map(group).filter(|group| !group.bars.is_empty()).collect();
    draw_all(&groups, path)
}

/// What is shown of other work.
const SHOWN: [(Work, usize); 5] = [
    (Work::OneWay, 0),
    (Work::Buffer, 1 << 20),
    (Work::BufferAgain, 64 << 20),
    (Work::Broadcast, 64),
    (Work::Spawn, 0),
];

/// Bars that are compared with each other.
struct Group {
    title: String,
    bars: Vec<Bar>,
}

struct Bar {
    title: &'static str,
    nanos: f64,
    is_ours: bool,
}

impl Group {
    fn new(results: &Results, title: String, work: Work, size: usize) -> Self {
        let bar = |contender: &contenders::Contender| {
            let nanos = results.median(contender.name, work, size, Placement::Free)?;
            Some(Bar { title: contender.title, nanos, is_ours: contender.name.starts_with("remote") })
        };
        let mut bars: Vec<_> = contenders::ALL.iter().filter_map(bar).collect();
        bars.sort_by(|one, other| one.nanos.total_cmp(&other.nanos));
        Self { title, bars }
    }

    /// How high it is drawn.
    fn height(&self) -> anyhow::Result<u32> {
        Ok(LINE * u32::try_from(self.bars.len())? + 3 * MARGIN.unsigned_abs())
    }
}

fn draw_all(groups: &[Group], path: &Path) -> anyhow::Result<()> {
    let height: u32 = groups.iter().map(Group::height).sum::<anyhow::Result<u32>>()? + MARGIN.unsigned_abs();
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    draw(&area, groups).map_err(|error| anyhow!("{}: {error}", path.display()))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw(area: &Area<'_>, groups: &[Group]) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let mut top = 0;
    for group in groups {
        draw_group(area, group, top)?;
        top += i32::try_from(group.height()?)?;
    }
    Ok(area.present()?)
}

fn draw_group(area: &Area<'_>, group: &Group, top: i32) -> Result<(), Box<dyn std::error::Error>> {
    let title = TextStyle::from(("sans-serif", 15).into_font());
    area.draw_text(&format!("{} (median, logarithmic)", group.title), &title, (MARGIN, top + MARGIN))?;
    let all = || group.bars.iter().map(|bar| bar.nanos);
    let (shortest, longest) = (all().fold(f64::INFINITY, f64::min) / 2.0, all().fold(0.0, f64::max));
    let room = f64::from(WIDTH) - f64::from(NAMES) - 110.0;
    let label = TextStyle::from(("sans-serif", 13).into_font());
    for (index, bar) in group.bars.iter().enumerate() {
        let top = top + 3 * MARGIN + i32::try_from(index)? * LINE as i32;
        let share = (bar.nanos / shortest).ln() / (longest / shortest).ln();
        let right = NAMES + (room * share) as i32;
        let color = if bar.is_ours { RGBColor(200, 60, 40) } else { RGBColor(120, 140, 170) };
        area.draw_text(bar.title, &label, (MARGIN, top + 3))?;
        area.draw(&Rectangle::new([(NAMES, top), (right, top + LINE as i32 - 8)], color.filled()))?;
        area.draw_text(&nanos(bar.nanos), &label, (right + 8, top + 3))?;
    }
    Ok(())
}
