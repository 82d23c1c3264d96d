//! Tensors out of a pickle, without executing anything.
//!
//! A pickle is a program for a small stack machine that can call any function of Python. `torch.save`
//! needs little of it: dictionaries of names, and three functions that put a tensor together from a
//! storage. This machine knows those three names and nothing else; every other name, and every
//! instruction that torch does not write, is an error. What it builds lies in tables, so that neither
//! reading nor dropping recurses, and takes memory in proportion to the pickle.
//!
//! Reference: `pickletools` of CPython, `torch/serialization.py` of PyTorch.

use std::collections::HashMap;
use std::rc::Rc;

use tch::Kind;

/// A tensor as a pickle describes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Described {
    pub(crate) storage: Storage,
    /// Elements of the storage before the first.
    pub(crate) offset: i64,
    pub(crate) size: Vec<i64>,
    pub(crate) stride: Vec<i64>,
}

/// A piece of memory that tensors share.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Storage {
    pub(crate) key: Rc<str>,
    pub(crate) kind: Kind,
    /// Elements.
    pub(crate) length: i64,
}

/// What is on the stack. Containers are places in the machine's tables.
#[derive(Debug, Clone)]
enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float,
    Text(Rc<str>),
    Tuple(usize),
    List(usize),
    Dict(usize),
    Function(Function),
    StorageKind(Kind),
    Storage(Rc<Storage>),
    Tensor(Rc<Described>),
    /// A number of more than 64 bits, as the first of a stream is.
    Long(Rc<[u8]>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Function {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
}

/// The result of a pickle that is not a dictionary of tensors.
pub(crate) enum Loaded {
    /// Names and what lies under them, in order.
    Tensors(Vec<(String, Described)>),
    /// A whole number, little endian.
    Number(Vec<u8>),
    /// A list of texts.
    Texts(Vec<Rc<str>>),
    /// A dictionary of other things; what it says of the machine that wrote it.
    Other { little_endian: Option<bool> },
}

type Result<T> = std::result::Result<T, String>;

/// Reads one pickle from the start of `bytes`; gives what it holds and how long it is.
pub(crate) fn load(bytes: &[u8]) -> Result<(Loaded, usize)> {
    let mut machine = Machine { bytes, ..Machine::default() };
    let value = machine.run()?;
    let end = machine.at;
    Ok((machine.loaded(value)?, end))
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    tuples: Vec<Vec<Value>>,
    lists: Vec<Vec<Value>>,
    dicts: Vec<Vec<(Value, Value)>>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("the pickle is truncated")?;
        let found = &self.bytes[self.at..end];
        self.at = end;
        Ok(found)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let length =
            rest.iter().position(|&byte| byte == b'\n').ok_or("the pickle is truncated")?;
        let line = self.take(length + 1)?;
        std::str::from_utf8(&line[..length]).map_err(|_| "a name that is not UTF-8".to_owned())
    }

    fn text(&mut self, length: usize) -> Result<Value> {
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| "a text that is not UTF-8".to_owned())?;
        Ok(Value::Text(text.into()))
    }

    fn pop(&mut self) -> Result<Value> {
        // What lies below a mark is not touched before the mark is used up.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("the pickle takes more than there is".into());
        }
        self.stack.pop().ok_or_else(|| "the pickle takes more than there is".into())
    }

    fn top(&self) -> Result<&Value> {
        self.stack.last().ok_or_else(|| "the pickle takes more than there is".into())
    }

    /// Everything above the last mark.
    fn above_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.marks.pop().ok_or("the pickle takes more than there is")?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, values: Vec<Value>) {
        self.tuples.push(values);
        self.stack.push(Value::Tuple(self.tuples.len() - 1));
    }

    fn remember(&mut self, place: u32) -> Result<()> {
        let value = self.top()?.clone();
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<()> {
        let value =
            self.memo.get(&place).cloned().ok_or("the pickle recalls what it never kept")?;
        self.stack.push(value);
        Ok(())
    }

    fn run(&mut self) -> Result<Value> {
        loop {
            let at = self.at;
            match self.byte()? {
                // PROTO, FRAME: nothing to do.
                0x80 => {
                    let protocol = self.byte()?;
                    if protocol > 5 {
                        return Err(format!("pickle protocol {protocol} is unknown"));
                    }
                }
                0x95 => {
                    self.take(8)?;
                }
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.stack.push(Value::None),
                0x88 => self.stack.push(Value::Bool(true)),
                0x89 => self.stack.push(Value::Bool(false)),
                b'K' => {
                    let number = self.byte()?;
                    self.stack.push(Value::Int(number.into()));
                }
                b'M' => {
                    let bytes = self.take(2)?;
                    let number = u16::from_le_bytes([bytes[0], bytes[1]]);
                    self.stack.push(Value::Int(number.into()));
                }
                b'J' => {
                    let number = self.number()? as i32;
                    self.stack.push(Value::Int(number.into()));
                }
                0x8a => {
                    let length = self.byte()?.into();
                    let bytes = self.take(length)?;
                    self.stack.push(long(bytes));
                }
                b'G' => {
                    self.take(8)?;
                    self.stack.push(Value::Float);
                }
                b'X' => {
                    let length = self.number()? as usize;
                    let text = self.text(length)?;
                    self.stack.push(text);
                }
                // SHORT_BINUNICODE, and Python 2's SHORT_BINSTRING.
                0x8c | b'U' => {
                    let length = self.byte()?.into();
                    let text = self.text(length)?;
                    self.stack.push(text);
                }
                b')' => self.tuple(Vec::new()),
                0x85 => self.small_tuple(1)?,
                0x86 => self.small_tuple(2)?,
                0x87 => self.small_tuple(3)?,
                b't' => {
                    let values = self.above_mark()?;
                    self.tuple(values);
                }
                b']' => {
                    self.lists.push(Vec::new());
                    self.stack.push(Value::List(self.lists.len() - 1));
                }
                b'}' => self.dict(),
                b'a' => {
                    let value = self.pop()?;
                    self.append(vec![value])?;
                }
                b'e' => {
                    let values = self.above_mark()?;
                    self.append(values)?;
                }
                b's' => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.set_items(vec![key, value])?;
                }
                b'u' => {
                    let values = self.above_mark()?;
                    self.set_items(values)?;
                }
                b'q' => {
                    let place = self.byte()?.into();
                    self.remember(place)?;
                }
                b'r' => {
                    let place = self.number()?;
                    self.remember(place)?;
                }
                // MEMOIZE numbers by itself.
                0x94 => self.remember(u32::try_from(self.memo.len()).unwrap_or(u32::MAX))?,
                b'h' => {
                    let place = self.byte()?.into();
                    self.recall(place)?;
                }
                b'j' => {
                    let place = self.number()?;
                    self.recall(place)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(known(module, name)?);
                }
                b'Q' => {
                    let value = self.pop()?;
                    let storage = self.storage(value)?;
                    self.stack.push(Value::Storage(Rc::new(storage)));
                }
                b'R' => {
                    let arguments = self.pop()?;
                    let function = self.pop()?;
                    self.call(function, arguments)?;
                }
                // BUILD sets attributes: `_metadata` of a state dictionary, which says nothing here.
                b'b' => {
                    self.pop()?;
                    if !matches!(self.top()?, Value::Dict(_)) {
                        return Err("the pickle sets attributes of an object".into());
                    }
                }
                other => {
                    return Err(format!(
                        "the pickle's instruction {other:#04x} at byte {at} is none that describes \
                         tensors"
                    ));
                }
            }
        }
    }

    fn small_tuple(&mut self, count: usize) -> Result<()> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.pop()?);
        }
        values.reverse();
        self.tuple(values);
        Ok(())
    }

    fn dict(&mut self) {
        self.dicts.push(Vec::new());
        self.stack.push(Value::Dict(self.dicts.len() - 1));
    }

    fn append(&mut self, values: Vec<Value>) -> Result<()> {
        let &Value::List(place) = self.top()? else {
            return Err("the pickle appends to what is no list".into());
        };
        self.lists[place].extend(values);
        Ok(())
    }

    fn set_items(&mut self, values: Vec<Value>) -> Result<()> {
        let &Value::Dict(place) = self.top()? else {
            return Err("the pickle sets items of what is no dictionary".into());
        };
        let mut values = values.into_iter();
        while let Some(key) = values.next() {
            let value = values.next().ok_or("a key without a value")?;
            self.dicts[place].push((key, value));
        }
        Ok(())
    }

    fn tuple_of(&self, value: &Value) -> Result<&[Value]> {
        match value {
            Value::Tuple(place) => Ok(&self.tuples[*place]),
            _ => Err("wanted a tuple".into()),
        }
    }

    fn numbers(&self, value: &Value) -> Result<Vec<i64>> {
        self.tuple_of(value)?
            .iter()
            .map(|value| match value {
                Value::Int(number) if *number >= 0 => Ok(*number),
                _ => Err("a size or stride that is no number".to_owned()),
            })
            .collect()
    }

    /// `("storage", kind, key, device, length[, view])`.
    fn storage(&self, value: Value) -> Result<Storage> {
        match self.tuple_of(&value)? {
            [
                Value::Text(what),
                Value::StorageKind(kind),
                Value::Text(key),
                Value::Text(_),
                Value::Int(length),
                rest @ ..,
            ] if &**what == "storage" && *length >= 0 => match rest {
                [] | [Value::None] => {
                    Ok(Storage { key: key.clone(), kind: *kind, length: *length })
                }
                _ => Err("a view of a storage, as no file since PyTorch 0.4 has".into()),
            },
            _ => Err("a reference to something that is no storage of numbers".into()),
        }
    }

    fn call(&mut self, function: Value, arguments: Value) -> Result<()> {
        let Value::Function(function) = function else {
            return Err("the pickle calls something that is no function".into());
        };
        let arguments = self.tuple_of(&arguments)?;
        let made = match (function, arguments) {
            (Function::OrderedDict, []) => {
                self.dict();
                return Ok(());
            }
            (
                Function::RebuildTensor,
                [Value::Storage(storage), Value::Int(offset), size, stride, ..],
            ) => {
                let described = Described {
                    storage: (**storage).clone(),
                    offset: *offset,
                    size: self.numbers(size)?,
                    stride: self.numbers(stride)?,
                };
                check(&described)?;
                Value::Tensor(Rc::new(described))
            }
            (Function::RebuildParameter, [Value::Tensor(tensor), ..]) => {
                Value::Tensor(tensor.clone())
            }
            _ => return Err(format!("{function:?} of unexpected arguments")),
        };
        self.stack.push(made);
        Ok(())
    }

    fn loaded(&self, value: Value) -> Result<Loaded> {
        match value {
            Value::Int(number) => Ok(Loaded::Number(number.to_le_bytes().to_vec())),
            Value::Long(bytes) => Ok(Loaded::Number(bytes.to_vec())),
            Value::List(place) => {
                let texts = self.lists[place].iter().map(|value| match value {
                    Value::Text(text) => Some(text.clone()),
                    _ => None,
                });
                match texts.collect::<Option<Vec<_>>>() {
                    Some(texts) => Ok(Loaded::Texts(texts)),
                    None => Err("holds a list, wanted a dictionary of tensors".into()),
                }
            }
            Value::Dict(place) => {
                let mut tensors = Vec::new();
                let mut other = None;
                let mut little_endian = None;
                for (key, value) in &self.dicts[place] {
                    let Value::Text(name) = key else {
                        return Err("holds a dictionary whose keys are no names".into());
                    };
                    match value {
                        Value::Tensor(tensor) => {
                            tensors.push((name.to_string(), (**tensor).clone()))
                        }
                        value => {
                            other = other.or(Some(name));
                            if let (Value::Bool(yes), "little_endian") = (value, &**name) {
                                little_endian = Some(*yes);
                            }
                        }
                    }
                }
                match other {
                    Some(name) if !tensors.is_empty() => Err(format!("{name:?} is no tensor")),
                    Some(_) => Ok(Loaded::Other { little_endian }),
                    None => Ok(Loaded::Tensors(tensors)),
                }
            }
            _ => Err("holds no dictionary of tensors".into()),
        }
    }
}

/// A long integer: as a number where it fits.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Long(bytes.into());
    }
    // Two's complement: the last byte's sign goes on.
    let fill = if bytes.last().is_some_and(|&last| last >= 0x80) { 0xff } else { 0 };
    let mut whole = [fill; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}

fn known(module: &str, name: &str) -> Result<Value> {
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Value::Function(Function::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => Value::Function(Function::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => Value::Function(Function::RebuildParameter),
        ("torch", "FloatStorage") => Value::StorageKind(Kind::Float),
        ("torch", "DoubleStorage") => Value::StorageKind(Kind::Double),
        ("torch", "HalfStorage") => Value::StorageKind(Kind::Half),
        ("torch", "BFloat16Storage") => Value::StorageKind(Kind::BFloat16),
        ("torch", "LongStorage") => Value::StorageKind(Kind::Int64),
        ("torch", "IntStorage") => Value::StorageKind(Kind::Int),
        ("torch", "ShortStorage") => Value::StorageKind(Kind::Int16),
        ("torch", "CharStorage") => Value::StorageKind(Kind::Int8),
        ("torch", "ByteStorage") => Value::StorageKind(Kind::Uint8),
        ("torch", "BoolStorage") => Value::StorageKind(Kind::Bool),
        _ => {
            return Err(format!(
                "holds an object of {module}.{name}; only tensors are read, and nothing is executed"
            ));
        }
    })
}

/// Whether a tensor lies within its storage.
fn check(described: &Described) -> Result<()> {
    let Described { storage, offset, size, stride } = described;
    if size.len() != stride.len() || size.len() > 8 || *offset < 0 {
        return Err("a tensor with unfit sizes and strides".into());
    }
    let count = size.iter().try_fold(1i64, |count, &length| count.checked_mul(length));
    let last = size.iter().zip(stride).try_fold(*offset, |at, (&length, &stride)| {
        at.checked_add((length - 1).max(0).checked_mul(stride)?)
    });
    match (count, last) {
        (Some(0), Some(_)) => Ok(()),
        // Strides of zero repeat numbers: no weight does, and a small file could ask for all memory.
        (Some(count), Some(last)) if last < storage.length && count <= storage.length => Ok(()),
        _ => Err(format!(
            "a tensor of size {size:?} and stride {stride:?} from {offset} does not lie within its \
             storage of {}",
            storage.length
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn calls_of_anything_else_are_refused_by_name() {
        let pickle = b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00echo\x85R.";
        let error = load(pickle).err().unwrap();
        assert!(error.contains("posix.system"), "{error}");
        for pickle in
            [&b"\x80\x02\x8c\x05posix\x8c\x06system\x93."[..], b"i", b"o", b"\x81", b"P1\n"]
        {
            assert!(load(pickle).is_err());
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let mut pickle = vec![b'N'];
        pickle.extend(std::iter::repeat_n(0x85, 1 << 20));
        pickle.push(b'.');
        assert!(load(&pickle).is_err());
        let mut pickle = b"}".repeat(1 << 16);
        pickle.push(b'.');
        assert!(matches!(load(&pickle), Ok((Loaded::Tensors(tensors), _)) if tensors.is_empty()));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = load(&bytes);
        }

        /// Instructions that the machine knows, in any order.
        #[test]
        fn no_program_is_too_much(
            program in prop::collection::vec(prop::sample::select(
                b"(NKMtqhRQabesu)]}.\x85\x86\x87\x88\x8a\x94X\x8ccollections\nOrderedDict\nctorch\nFloatStorage\n".to_vec()
            ), 0..400),
        ) {
            let _ = load(&program);
        }
    }
}
