//! Values of the pickle machine: eight bytes each.
//!
//! A constant is where its opcode stands in the stream, read again on the rare
//! occasion that its content matters; only what could be called, or hold what
//! could be called, has a node. That keeps an honest 200 MB of strings and
//! numbers at eight bytes a memo slot.

/// A value on the stack, in the memo or in a container.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Value(u64);

/// What a [`Value`] is, unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A memo slot that was never written.
    Absent,
    None,
    Bool(bool),
    /// A small integer.
    Int(i64),
    /// A larger one, at this offset.
    Long(u64),
    Float(u64),
    Str(u64),
    Bytes(u64),
    Bytearray(u64),
    EmptyTuple,
    /// Something in the arena.
    Node(u32),
    /// A container of plain data whose content was not kept.
    Data,
    /// An out-of-band buffer.
    Buffer,
    /// Nothing is known of it.
    Unknown,
}

const PAYLOAD: u64 = (1 << 56) - 1;

impl Value {
    pub(super) const ABSENT: Self = Self::pack(0, 0);
    pub(super) const NONE: Self = Self::pack(1, 0);
    pub(super) const EMPTY_TUPLE: Self = Self::pack(9, 0);
    pub(super) const DATA: Self = Self::pack(11, 0);
    pub(super) const BUFFER: Self = Self::pack(12, 0);
    pub(super) const UNKNOWN: Self = Self::pack(13, 0);

    const fn pack(tag: u8, payload: u64) -> Self {
        // `as` widens; `From` is not const.
        Self(((tag as u64) << 56) | (payload & PAYLOAD))
    }

    #[inline]
    pub(super) fn bool(value: bool) -> Self {
        Self::pack(2, u64::from(value))
    }

    #[inline]
    pub(super) fn int(value: i64) -> Self {
        Self::pack(3, value.cast_unsigned())
    }

    #[inline]
    pub(super) fn long(offset: u64) -> Self {
        Self::pack(4, offset)
    }

    #[inline]
    pub(super) fn float(offset: u64) -> Self {
        Self::pack(5, offset)
    }

    #[inline]
    pub(super) fn str(offset: u64) -> Self {
        Self::pack(6, offset)
    }

    #[inline]
    pub(super) fn bytes(offset: u64) -> Self {
        Self::pack(7, offset)
    }

    #[inline]
    pub(super) fn bytearray(offset: u64) -> Self {
        Self::pack(8, offset)
    }

    #[inline]
    pub(super) fn node(index: u32) -> Self {
        Self::pack(10, u64::from(index))
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        let payload = self.0 & PAYLOAD;
        match self.0 >> 56 {
            0 => Kind::Absent,
            1 => Kind::None,
            2 => Kind::Bool(payload != 0),
            // Shifting the sign into place and back restores it.
            3 => Kind::Int((payload << 8).cast_signed() >> 8),
            4 => Kind::Long(payload),
            5 => Kind::Float(payload),
            6 => Kind::Str(payload),
            7 => Kind::Bytes(payload),
            8 => Kind::Bytearray(payload),
            9 => Kind::EmptyTuple,
            10 => Kind::Node(u32::try_from(payload).unwrap_or(u32::MAX)),
            11 => Kind::Data,
            12 => Kind::Buffer,
            _ => Kind::Unknown,
        }
    }

    /// Index of its node, when it has one.
    #[inline]
    pub(super) fn as_node(self) -> Option<u32> {
        match self.kind() {
            Kind::Node(index) => Some(index),
            _ => None,
        }
    }

    /// Whether it is certainly plain data: a constant, or a container of them.
    #[inline]
    pub(super) fn is_constant(self) -> bool {
        !matches!(self.0 >> 56, 10 | 13)
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.kind().fmt(f)
    }
}

/// How a call came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum How {
    Reduce,
    Inst,
    Obj,
    NewObj,
    NewObjEx,
    /// By a function that the machine folded, such as `map`.
    Folded,
}

impl How {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reduce => "REDUCE",
            Self::Inst => "INST",
            Self::Obj => "OBJ",
            Self::NewObj => "NEWOBJ",
            Self::NewObjEx => "NEWOBJ_EX",
            Self::Folded => "folded",
        }
    }
}

/// Which container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    List,
    Dict,
    Set,
    FrozenSet,
    Tuple,
}

/// Something in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    /// A container: a chain of runs of items. A dict's are key, value, ...
    Container {
        shape: Shape,
        live: bool,
        first: u32,
        last: u32,
    },
    /// A name that was imported: index into the names.
    Global(u32),
    /// The result of a call that was not folded.
    Call {
        callee: Value,
        args: Value,
        how: How,
    },
    /// An attribute of something that is not a name; the text is its name.
    Attribute {
        object: Value,
        name: u32,
    },
    /// A string that folding made.
    Text(u32),
    /// Bytes that folding made.
    Blob(u32),
    Persistent(Value),
    Extension(u32),
}

/// A run of items of a container, in the arena's item list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    start: u32,
    len: u32,
    next: u32,
}

const NO_RUN: u32 = u32::MAX;

/// All nodes of one stream. Nothing is ever cloned or freed: sharing is by
/// index, and a budget bounds the whole.
#[derive(Debug, Default)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    items: Vec<Value>,
    runs: Vec<Run>,
    pub(super) texts: Vec<String>,
    pub(super) blobs: Vec<Vec<u8>>,
    node_budget: usize,
    item_budget: usize,
    /// Something that may be called was not kept, for want of nodes.
    pub(super) lost_nodes: bool,
    /// The same, for want of items.
    pub(super) lost_items: bool,
}

impl Arena {
    pub(super) fn new(node_budget: usize, item_budget: usize) -> Self {
        Self { node_budget, item_budget, ..Self::default() }
    }

    /// A node for something that may be called or hold what may be. Over
    /// budget it becomes unknown, which is a finding when it is called.
    pub(super) fn add(&mut self, node: Node) -> Value {
        match u32::try_from(self.nodes.len()) {
            Ok(index) if self.nodes.len() < self.node_budget => {
                self.nodes.push(node);
                Value::node(index)
            }
            _ => {
                self.lost_nodes = true;
                Value::UNKNOWN
            }
        }
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    #[inline]
    pub(super) fn get(&self, value: Value) -> Option<&Node> {
        value.as_node().and_then(|index| self.nodes.get(usize::try_from(index).ok()?))
    }

    /// A container with these items. Over budget, plain data becomes opaque.
    pub(super) fn container(&mut self, shape: Shape, items: &[Value]) -> Value {
        let live = items.iter().any(|item| self.is_live(*item));
        if !live && self.nodes.len() >= self.node_budget / 2 {
            return Value::DATA;
        }
        let run = self.run(items);
        self.add(Node::Container { shape, live, first: run, last: run })
    }

    /// Adds items to a container.
    pub(super) fn extend(&mut self, container: Value, items: &[Value]) {
        if items.is_empty() {
            return;
        }
        let fresh_live = items.iter().any(|item| self.is_live(*item));
        let run = self.run(items);
        let Some(index) = container.as_node().and_then(|index| usize::try_from(index).ok()) else {
            self.lost_nodes |= fresh_live;
            return;
        };
        let Some(Node::Container { live, first, last, .. }) = self.nodes.get_mut(index) else { return };
        *live |= fresh_live;
        if run == NO_RUN {
            return;
        }
        let before = *last;
        *last = run;
        if *first == NO_RUN {
            *first = run;
        } else if let Some(before) = usize::try_from(before).ok().and_then(|at| self.runs.get_mut(at)) {
            before.next = run;
        }
    }

    fn run(&mut self, items: &[Value]) -> u32 {
        if items.is_empty() {
            return NO_RUN;
        }
        let room = self.item_budget.saturating_sub(self.items.len());
        if room < items.len() {
            self.lost_items |= items.iter().any(|item| self.is_live(*item));
            return NO_RUN;
        }
        let (Ok(start), Ok(len), Ok(index)) =
            (u32::try_from(self.items.len()), u32::try_from(items.len()), u32::try_from(self.runs.len()))
        else {
            return NO_RUN;
        };
        self.items.extend_from_slice(items);
        self.runs.push(Run { start, len, next: NO_RUN });
        index
    }

    /// Whether a value is, or holds, anything but plain data.
    #[inline]
    pub(super) fn is_live(&self, value: Value) -> bool {
        if value.is_constant() {
            return false;
        }
        !matches!(self.get(value), Some(Node::Container { live: false, .. } | Node::Text(_) | Node::Blob(_)))
    }

    /// The first `most` items of a container.
    pub(super) fn items(&self, container: Value, most: usize) -> Vec<Value> {
        let Some(Node::Container { first, .. }) = self.get(container) else { return Vec::new() };
        let mut found = Vec::new();
        let mut next = *first;
        while let Some(run) = usize::try_from(next).ok().and_then(|at| self.runs.get(at)) {
            let start = usize::try_from(run.start).unwrap_or(usize::MAX);
            let len = usize::try_from(run.len).unwrap_or(0).min(most.saturating_sub(found.len()));
            found.extend_from_slice(self.items.get(start..start.saturating_add(len)).unwrap_or_default());
            if found.len() >= most {
                break;
            }
            next = run.next;
        }
        found
    }

    /// A folded string.
    pub(super) fn text(&mut self, text: String) -> Value {
        let Ok(index) = u32::try_from(self.texts.len()) else { return Value::UNKNOWN };
        self.texts.push(text);
        self.add(Node::Text(index))
    }

    /// Folded bytes.
    pub(super) fn blob(&mut self, bytes: Vec<u8>) -> Value {
        let Ok(index) = u32::try_from(self.blobs.len()) else { return Value::UNKNOWN };
        self.blobs.push(bytes);
        self.add(Node::Blob(index))
    }
}
