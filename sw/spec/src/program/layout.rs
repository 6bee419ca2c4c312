//! Which passes a network takes, and where what they read and write lies.

use super::place::{Place, Spot, map_words};
use super::placement::Output;
use super::plan::{Action, Problem, Task};
use super::slices::{Copied, Part, Slices};
use super::{LayerShapes, Network, Operation, Origin, ProgramError, Shape};
use crate::config::Configuration;

/// A pass and its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// What it is for.
    pub origin: Origin,
    /// What it reads.
    pub source: Place,
    /// What it adds.
    pub operand: Option<Place>,
    /// What it writes; none if it gives the results.
    pub destination: Option<Place>,
    /// Whether lanes beyond its channels are another part's of the same map.
    pub keep: bool,
}

/// A map in a buffer, from the step that writes it to the last one that reads it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The tensor: 0 is the network's input, k the output of layer k − 1. Parts of a concatenated
    /// one lie in its map.
    pub tensor: usize,
    /// Which buffer.
    pub buffer: usize,
    /// Address of its first word.
    pub base: usize,
    /// Words.
    pub words: usize,
    /// The step that begins to write it; none of the input.
    pub from: Option<usize>,
    /// The last step that reads or writes it.
    pub until: usize,
}

/// All passes of a network.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// In order.
    pub runs: Vec<Run>,
    /// The output of every layer but the last.
    pub outputs: Vec<Output>,
    /// What lies in the buffers.
    pub stays: Vec<Stay>,
    /// How parts of concatenated tensors come there.
    pub parts: Vec<Part>,
}

/// What a task of the plan is.
#[derive(Clone, Copy, Debug)]
enum Job {
    Layer(usize),
    Part(Copied),
    /// The results are what a concat or a pointwise function of this layer made.
    Results(usize),
}

impl Layout {
    /// Finds places for everything.
    ///
    /// # Errors
    /// When the buffers are too small.
    pub fn new(
        configuration: &Configuration,
        network: &Network,
        shapes: &[LayerShapes],
    ) -> Result<Self, ProgramError> {
        let outputs = shapes.iter().map(|shapes| shapes.output);
        let tensors: Vec<Shape> = std::iter::once(network.input).chain(outputs).collect();
        let slices = Slices::new(configuration, network, &tensors);
        let jobs = jobs(network, &slices);
        let problem = Problem {
            words: tensors
                .iter()
                .map(|&map| map_words(configuration, map))
                .collect(),
            movable: tensors
                .iter()
                .map(|map| map.pixels() <= configuration.depths.accumulators)
                .collect(),
            tasks: jobs
                .iter()
                .map(|&job| task(network, &slices, job))
                .collect(),
        };
        let depth = configuration.depths.activations;
        let actions = problem.solve(depth).map_err(|furthest| {
            refusal(configuration, network, &tensors, &problem, jobs[furthest])
        })?;
        let mut writer = Writer {
            configuration,
            network,
            slices: &slices,
            tensors: &tensors,
            runs: Vec::with_capacity(actions.len()),
            stays: Vec::new(),
            current: vec![None; tensors.len()],
            history: Vec::with_capacity(actions.len()),
            done: vec![0; tensors.len()],
        };
        writer.write(&jobs, &actions);
        Ok(Self {
            outputs: writer.outputs(),
            runs: writer.runs,
            stays: writer.stays,
            parts: slices.parts(configuration.columns, network, &tensors),
        })
    }
}

/// Whether a layer's output lies in a buffer: results do not, but those that are stored integers
/// and no sums, as of a pointwise function or a concat.
pub(super) fn writes(network: &Network, layer: usize) -> bool {
    let stored = matches!(
        network.layers[layer].operation,
        Operation::Pointwise | Operation::Concat
    );
    layer + 1 < network.layers.len() || stored
}

/// Layers and copied parts in order; a concat has no pass of its own. What a last layer stores is
/// copied to the results.
fn jobs(network: &Network, slices: &Slices) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (index, layer) in network.layers.iter().enumerate() {
        match layer.operation {
            Operation::Concat => {
                let parts = slices.copied.iter().filter(|part| part.layer == index);
                jobs.extend(parts.copied().map(Job::Part));
            }
            _ => jobs.push(Job::Layer(index)),
        }
        let last = index + 1 == network.layers.len();
        jobs.extend((last && writes(network, index)).then_some(Job::Results(index)));
    }
    jobs
}

fn task(network: &Network, slices: &Slices, job: Job) -> Task {
    let root = |tensor: usize| slices.of[tensor].root;
    match job {
        Job::Layer(index) => Task {
            reads: network.layers[index]
                .reads
                .iter()
                .map(|&t| root(t))
                .collect(),
            writes: writes(network, index).then(|| root(index + 1)),
        },
        Job::Part(part) => Task {
            reads: vec![root(part.tensor)],
            writes: Some(root(part.layer + 1)),
        },
        Job::Results(index) => Task {
            reads: vec![root(index + 1)],
            writes: None,
        },
    }
}

/// Why the buffers are too small.
fn refusal(
    configuration: &Configuration,
    network: &Network,
    tensors: &[Shape],
    problem: &Problem,
    job: Job,
) -> ProgramError {
    let layer = match job {
        Job::Layer(layer) | Job::Results(layer) => layer,
        Job::Part(part) => part.layer,
    };
    let name = &network.layers[layer].name;
    let have = configuration.depths.activations;
    let what = format!(
        "layer {layer} ({name}), with a map of {} beside those that wait for later layers,",
        tensors[layer + 1]
    );
    let pixels = network.input.pixels();
    let accumulators = configuration.depths.accumulators;
    let (field, have, need) = match problem.need(have) {
        Some(need) => ("depths.activations", have, need),
        // A copy streams a map through the accumulators; the input's may be too large for them.
        None if pixels > accumulators => ("depths.accumulators", accumulators, pixels),
        None => ("depths.activations", have, problem.most().max(have + 1)),
    };
    ProgramError::Depth {
        field,
        have,
        need,
        what,
    }
}

/// Turns a plan into passes.
struct Writer<'a> {
    configuration: &'a Configuration,
    network: &'a Network,
    slices: &'a Slices,
    tensors: &'a [Shape],
    runs: Vec<Run>,
    stays: Vec<Stay>,
    /// For each map the stay that holds it.
    current: Vec<Option<usize>>,
    /// `current` after each step.
    history: Vec<Vec<Option<usize>>>,
    /// For each tensor the last step that wrote a part of it.
    done: Vec<usize>,
}

impl Writer<'_> {
    fn write(&mut self, jobs: &[Job], actions: &[Action]) {
        let first = Spot { buffer: 0, base: 0 };
        self.current[0] = Some(self.stay(0, first, None));
        let mut jobs = jobs.iter();
        for action in actions {
            match action {
                Action::Copy {
                    map,
                    from,
                    to,
                    moved,
                } => self.copy(*map, *from, *to, *moved),
                Action::Run { reads, writes } => {
                    let job = jobs.next().expect("a plan runs each task once");
                    self.run(*job, reads, *writes);
                }
            }
            self.history.push(self.current.clone());
        }
    }

    fn stay(&mut self, map: usize, spot: Spot, from: Option<usize>) -> usize {
        self.stays.push(Stay {
            tensor: map,
            buffer: spot.buffer,
            base: spot.base,
            words: map_words(self.configuration, self.tensors[map]),
            from,
            until: from.unwrap_or(0),
        });
        self.stays.len() - 1
    }

    /// The next step reads or writes a map.
    fn touch(&mut self, map: usize) {
        if let Some(stay) = self.current[map] {
            self.stays[stay].until = self.runs.len();
        }
    }

    fn copy(&mut self, map: usize, from: Spot, to: Spot, moved: bool) {
        let step = self.runs.len();
        self.touch(map);
        let stay = self.stay(map, to, Some(step));
        match moved {
            true => self.current[map] = Some(stay),
            // The next step reads both.
            false => self.stays[stay].until = step + 1,
        }
        let map = self.tensors[map];
        self.runs.push(Run {
            origin: Origin::Copy(self.stays[stay].tensor),
            source: from.place(self.configuration, map, 0),
            operand: None,
            destination: Some(to.place(self.configuration, map, 0)),
            keep: false,
        });
    }

    fn run(&mut self, job: Job, reads: &[Spot], writes: Option<Spot>) {
        let step = self.runs.len();
        let task = task(self.network, self.slices, job);
        for &map in &task.reads {
            self.touch(map);
        }
        if let (Some(map), Some(spot)) = (task.writes, writes) {
            if self.current[map].is_none() {
                self.current[map] = Some(self.stay(map, spot, Some(step)));
            }
            self.touch(map);
        }
        match job {
            Job::Layer(index) => self.done[index + 1] = step,
            Job::Part(part) => self.done[part.layer + 1] = step,
            Job::Results(_) => {}
        }
        let place = |tensor: usize, spot: Spot| self.place(tensor, spot, 0);
        let columns = self.configuration.columns;
        let run = match job {
            Job::Layer(index) => {
                let tensors = self.network.layers[index].reads.iter();
                let mut places = tensors.zip(reads).map(|(&t, &spot)| place(t, spot));
                Run {
                    origin: Origin::Layer(index),
                    source: places.next().expect("every pass reads a map"),
                    operand: places.next(),
                    destination: writes.map(|spot| place(index + 1, spot)),
                    keep: self
                        .slices
                        .keeps(columns, self.tensors, index + 1, 0, index + 1),
                }
            }
            Job::Part(part) => {
                let to = |spot| self.place(part.layer + 1, spot, part.channel);
                Run {
                    origin: Origin::Copy(part.tensor),
                    source: place(part.tensor, reads[0]),
                    operand: None,
                    destination: writes.map(to),
                    keep: {
                        let (layer, tensor) = (part.layer + 1, part.tensor);
                        self.slices
                            .keeps(columns, self.tensors, layer, part.channel, tensor)
                    },
                }
            }
            Job::Results(index) => Run {
                origin: Origin::Copy(index + 1),
                source: place(index + 1, reads[0]),
                operand: None,
                destination: None,
                keep: false,
            },
        };
        self.runs.push(run);
    }

    /// The place of what begins so many channels behind the first one of a tensor, whose map lies
    /// in a spot.
    fn place(&self, tensor: usize, spot: Spot, channel: usize) -> Place {
        let slice = self.slices.of[tensor];
        let map = self.tensors[slice.root];
        spot.place(self.configuration, map, slice.channel + channel)
    }

    /// Where each layer's output lies when all of it is there.
    fn outputs(&mut self) -> Vec<Output> {
        let hidden = 0..self.network.layers.len() - 1;
        hidden
            .map(|index| {
                let layer = &self.network.layers[index];
                for &part in &layer.reads {
                    if self.slices.is_part(index, part) {
                        self.done[index + 1] = self.done[index + 1].max(self.done[part]);
                    }
                }
                let step = self.done[index + 1];
                let root = self.slices.of[index + 1].root;
                let stay = self.history[step][root].expect("it was written");
                let Stay { buffer, base, .. } = self.stays[stay];
                let place = self.place(index + 1, Spot { buffer, base }, 0);
                let shape = self.tensors[index + 1];
                let columns = self.configuration.columns;
                let padded = self
                    .slices
                    .is_padded(columns, self.network, self.tensors, index + 1);
                Output {
                    step,
                    place,
                    shape,
                    padded,
                }
            })
            .collect()
    }
}
