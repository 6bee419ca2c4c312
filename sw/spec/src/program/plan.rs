//! Gives maps their places in the activation buffers.
//!
//! A pass reads its source, and an operand, and writes its destination, each in a buffer of its
//! own; what waits for a later pass lies beside them. A search tries places, pass by pass, and
//! goes back where none is left: first with every map where it was written, then with one and
//! with two maps moved before a pass. A move is a pass without weights.

use super::place::{BUFFERS, Spot};

/// Most places that each of the three searches tries.
const SEARCH_BOUND: usize = 10_000;
/// Most maps that are moved before a pass: with memory enough, two are always enough.
const MOST_MOVES: usize = 2;

/// A pass as the search sees it: maps by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Maps that it reads, at most two; of the same one twice it needs a copy.
    pub reads: Vec<usize>,
    /// The map that it writes, or a part of it; none if it gives the results.
    pub writes: Option<usize>,
}

/// What the search decided, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A map is copied.
    Copy {
        /// Which.
        map: usize,
        /// From here,
        from: Spot,
        /// to there.
        to: Spot,
        /// Whether it lies there from now on; else the copy is for the next pass alone.
        moved: bool,
    },
    /// The next task runs.
    Run {
        /// Where what it reads lies.
        reads: Vec<Spot>,
        /// Where the map lies that it writes.
        writes: Option<Spot>,
    },
}

/// What is to be placed.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// Words of each map; map 0 lies in buffer 0 from word 0 on when the first task begins.
    pub words: Vec<usize>,
    /// Whether a pass can copy a map.
    pub movable: Vec<bool>,
    /// Passes in order.
    pub tasks: Vec<Task>,
}

impl Problem {
    /// Places for buffers of so many words, or the first task that has none.
    pub fn solve(&self, depth: usize) -> Result<Vec<Action>, usize> {
        let mut furthest = 0;
        if self.words[0] > depth {
            return Err(furthest);
        }
        for moves in 0..=MOST_MOVES {
            let mut search = Search {
                problem: self,
                ends: self.ends(),
                depth,
                moves,
                left: SEARCH_BOUND,
                furthest: 0,
                actions: Vec::new(),
            };
            let mut spots = vec![None; self.words.len()];
            spots[0] = Some(Spot { buffer: 0, base: 0 });
            if search.run(0, &spots, 0) {
                return Ok(search.actions);
            }
            furthest = search.furthest;
        }
        Err(furthest)
    }

    /// The fewest words with which a search succeeds that tries ever closer depths above one that
    /// failed; `None` if it fails with memory enough for everything at once.
    pub fn need(&self, failed: usize) -> Option<usize> {
        let (mut low, mut high) = (failed, self.most().max(failed + 1));
        self.solve(high).ok()?;
        while low + 1 < high {
            let middle = low.midpoint(high);
            match self.solve(middle) {
                Ok(_) => high = middle,
                Err(_) => low = middle,
            }
        }
        Some(high)
    }

    /// Words in which all maps lie beside one another, and each once more.
    pub fn most(&self) -> usize {
        2 * self.words.iter().sum::<usize>()
    }

    /// For each map the last task that reads or writes it.
    fn ends(&self) -> Vec<usize> {
        let mut ends = vec![0; self.words.len()];
        for (index, task) in self.tasks.iter().enumerate() {
            for &map in task.reads.iter().chain(&task.writes) {
                ends[map] = index;
            }
        }
        ends
    }
}

/// Where each map lies; none before it is written and after it was read for the last time.
type Spots = [Option<Spot>];

struct Search<'a> {
    problem: &'a Problem,
    ends: Vec<usize>,
    depth: usize,
    moves: usize,
    left: usize,
    furthest: usize,
    actions: Vec<Action>,
}

impl Search<'_> {
    /// Places a task and all that follow, after so many moves before it.
    fn run(&mut self, task: usize, spots: &Spots, moved: usize) -> bool {
        let problem = self.problem;
        let Some(Task { reads, .. }) = problem.tasks.get(task) else {
            return true;
        };
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.furthest = self.furthest.max(task);
        let read: Vec<Spot> = reads.iter().filter_map(|&map| spots[map]).collect();
        match (&reads[..], &read[..]) {
            ([a, b], [from, _]) if a == b => {
                if self.run_beside_copy(task, spots, *a, *from, moved) {
                    return true;
                }
            }
            ([_, _], [a, b]) if a.buffer == b.buffer => {}
            _ => {
                if self.write(task, spots, &read) {
                    return true;
                }
            }
        }
        moved < self.moves && self.run_after_move(task, spots, moved)
    }

    /// Copies the map that the task reads twice, for this task alone.
    fn run_beside_copy(
        &mut self,
        task: usize,
        spots: &Spots,
        map: usize,
        from: Spot,
        moved: usize,
    ) -> bool {
        if moved == self.moves || !self.problem.movable[map] {
            return false;
        }
        for to in self.free(spots, self.problem.words[map], &[from.buffer]) {
            self.actions.push(Action::Copy {
                map,
                from,
                to,
                moved: false,
            });
            // The destination is in the third buffer, where the copy takes no room.
            if self.write(task, spots, &[from, to]) {
                return true;
            }
            self.actions.pop();
        }
        false
    }

    /// Finds the destination of a task whose reads are in buffers of their own.
    fn write(&mut self, task: usize, spots: &Spots, read: &[Spot]) -> bool {
        let taken: Vec<usize> = read.iter().map(|spot| spot.buffer).collect();
        let writes = self.problem.tasks[task].writes;
        let choices = match writes {
            None => vec![None],
            Some(map) => match spots[map] {
                Some(spot) if taken.contains(&spot.buffer) => Vec::new(),
                Some(spot) => vec![Some(spot)],
                None => {
                    let free = self.free(spots, self.problem.words[map], &taken);
                    free.into_iter().map(Some).collect()
                }
            },
        };
        for choice in choices {
            self.actions.push(Action::Run {
                reads: read.to_vec(),
                writes: choice,
            });
            let mut after = spots.to_vec();
            if let Some(map) = writes {
                after[map] = choice;
            }
            for (spot, end) in after.iter_mut().zip(&self.ends) {
                if *end <= task {
                    *spot = None;
                }
            }
            if self.run(task + 1, &after, 0) {
                return true;
            }
            self.actions.pop();
        }
        false
    }

    /// Moves a map before the task: what it reads and writes first, then the smallest.
    fn run_after_move(&mut self, task: usize, spots: &Spots, moved: usize) -> bool {
        let mut maps: Vec<usize> = (0..spots.len())
            .filter(|&map| spots[map].is_some() && self.problem.movable[map])
            .collect();
        let of_task = |map: &usize| {
            let task = &self.problem.tasks[task];
            task.reads.contains(map) || task.writes == Some(*map)
        };
        maps.sort_by_key(|map| (!of_task(map), self.problem.words[*map]));
        for map in maps {
            let Some(from) = spots[map] else { continue };
            for to in self.free(spots, self.problem.words[map], &[from.buffer]) {
                let mut after = spots.to_vec();
                after[map] = Some(to);
                self.actions.push(Action::Copy {
                    map,
                    from,
                    to,
                    moved: true,
                });
                if self.run(task, &after, moved + 1) {
                    return true;
                }
                self.actions.pop();
            }
        }
        false
    }

    /// Spots for so many words outside of some buffers: empty buffers first, then the lowest and
    /// the highest room of each.
    fn free(&self, spots: &Spots, words: usize, taken: &[usize]) -> Vec<Spot> {
        let mut found = Vec::new();
        let buffers = || (0..BUFFERS).filter(|buffer| !taken.contains(buffer));
        let used: Vec<_> = (0..BUFFERS)
            .map(|buffer| self.used(spots, buffer))
            .collect();
        if words > self.depth {
            return found;
        }
        for buffer in buffers().filter(|&buffer| used[buffer].is_empty()) {
            found.push(Spot { buffer, base: 0 });
        }
        for buffer in buffers().filter(|&buffer| !used[buffer].is_empty()) {
            let starts = std::iter::once(0).chain(used[buffer].iter().map(|range| range.1));
            let ends = used[buffer].iter().map(|range| range.0);
            let gaps: Vec<_> = starts.zip(ends.chain([self.depth])).collect();
            let fits = |&(start, end): &(usize, usize)| end >= start + words;
            let lowest = gaps.iter().copied().find(fits).map(|(start, _)| start);
            let highest = gaps.iter().copied().rfind(fits).map(|(_, end)| end - words);
            found.extend(lowest.map(|base| Spot { buffer, base }));
            if highest != lowest {
                found.extend(highest.map(|base| Spot { buffer, base }));
            }
        }
        found
    }

    /// First words and ends of what lies in a buffer, in order.
    fn used(&self, spots: &Spots, buffer: usize) -> Vec<(usize, usize)> {
        let mut used: Vec<_> = spots
            .iter()
            .zip(&self.problem.words)
            .filter_map(|(spot, words)| spot.map(|spot| (spot, words)))
            .filter(|(spot, _)| spot.buffer == buffer)
            .map(|(spot, words)| (spot.base, spot.base + words))
            .collect();
        used.sort_unstable();
        used
    }
}

#[cfg(test)]
mod tests;
