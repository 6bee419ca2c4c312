//! Which channel of the file each channel is.
//!
//! A sum that pads channels in front of its operand's has these first, since an accelerator has
//! only zeros behind them; then the convolution that it adds to has them in that order too.

use super::node::Node;
use brownout_spec::program::Operation;

/// For each tensor, which channel of the file each channel is.
///
/// # Errors
/// Channels that two readers want in different orders, and results in another order than the
/// file's.
pub(super) fn orders(nodes: &[Node<'_>], channels: usize) -> Result<Vec<Vec<usize>>, String> {
    let mut wanted: Vec<Option<Vec<usize>>> = vec![None; nodes.len()];
    // Each try settles one more.
    for _ in 0..=nodes.len() {
        match tried(nodes, channels, &wanted)? {
            Tried::Orders(orders) => {
                let last = orders.last().map_or(&[][..], Vec::as_slice);
                return match last.iter().enumerate().all(|(at, &channel)| at == channel) {
                    true => Ok(orders),
                    false => Err(
                        "the result's channels are in the order of a sum that pads channels in front; allowed are such sums inside the network"
                            .to_owned(),
                    ),
                };
            }
            Tried::Wants(node, order) => wanted[node] = Some(order),
        }
    }
    Err("two sums want channels in different orders; allowed is one".to_owned())
}

enum Tried {
    Orders(Vec<Vec<usize>>),
    /// This node's channels must be in that order.
    Wants(usize, Vec<usize>),
}

fn tried(
    nodes: &[Node<'_>],
    channels: usize,
    wanted: &[Option<Vec<usize>>],
) -> Result<Tried, String> {
    let mut orders: Vec<Vec<usize>> = vec![(0..channels).collect()];
    for (index, node) in nodes.iter().enumerate() {
        let of = |read: usize| &orders[node.reads[read]];
        let refuse = |what: &str| {
            Err(format!(
                "{}: {what}, whose channels are in another order, since a sum pads channels in front; allowed is that they agree",
                node.name
            ))
        };
        let order = match node.operation {
            Operation::Convolution {
                groups, residual, ..
            } => {
                let outputs = node.shape.channels;
                let own = match depthwise(groups, of(0).len(), outputs) {
                    true => of(0).clone(),
                    false => {
                        let plain = || (0..outputs).collect();
                        wanted[index].clone().unwrap_or_else(plain)
                    }
                };
                if groups > 1 && !depthwise(groups, of(0).len(), outputs) && !is_plain(of(0)) {
                    return refuse("it has groups of what it reads");
                }
                match residual {
                    Some(_) => {
                        let added = summed(of(1), node.front, outputs);
                        match (groups, added == own) {
                            (1, _) | (_, true) => added,
                            _ => return refuse("it adds to groups of channels"),
                        }
                    }
                    None => own,
                }
            }
            Operation::Add { .. } if of(0) != of(1) => {
                let sides = [(0, 1), (1, 0)];
                let free = sides.into_iter().find_map(|(host, other)| {
                    let node = maker(nodes, node.reads[host])?;
                    (wanted[node].is_none()).then(|| Tried::Wants(node, of(other).clone()))
                });
                match free {
                    Some(wants) => return Ok(wants),
                    None => return refuse("it adds two tensors"),
                }
            }
            Operation::Concat if node.front > 0 => {
                // Zeros of all sides stand behind.
                summed(of(0), node.front, node.shape.channels)
            }
            Operation::Concat => {
                let mut order = Vec::with_capacity(node.shape.channels);
                for read in 0..node.reads.len() {
                    let before = order.len();
                    order.extend(of(read).iter().map(|channel| before + channel));
                }
                order
            }
            _ => of(0).clone(),
        };
        orders.push(order);
    }
    Ok(Tried::Orders(orders))
}

fn depthwise(groups: usize, inputs: usize, outputs: usize) -> bool {
    groups > 1 && groups == inputs && groups == outputs
}

/// The convolution that is free to choose the order of a tensor's channels.
fn maker(nodes: &[Node<'_>], tensor: usize) -> Option<usize> {
    let index = tensor.checked_sub(1)?;
    let node = &nodes[index];
    match node.operation {
        Operation::Convolution {
            groups: 1,
            residual: None,
            ..
        } => Some(index),
        Operation::Convolution { .. } | Operation::Concat | Operation::Add { .. } => None,
        _ => maker(nodes, node.reads[0]),
    }
}

/// The order of a sum of so many channels with an operand that has `front` zeros in front.
fn summed(operand: &[usize], front: usize, channels: usize) -> Vec<usize> {
    let behind = front + operand.len()..channels;
    let padded = operand.iter().map(|channel| front + channel);
    padded.chain(0..front).chain(behind).collect()
}

pub(super) fn is_plain(order: &[usize]) -> bool {
    let mut places = order.iter().enumerate();
    places.all(|(place, &channel)| place == channel)
}
