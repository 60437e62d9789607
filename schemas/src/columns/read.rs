//! Typed access to the columns of a batch.
use super::ColumnError;
use crate::time::Millis;
use arrow::{
    array::{
        Array, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryArray, Int64Array, StringArray,
        TimestampMillisecondArray,
    },
    datatypes::{Int64Type, TimestampMillisecondType},
    record_batch::RecordBatch,
};
use std::str::FromStr;

/// The columns of one batch, by name.
pub(super) struct Reader<'a>(pub &'a RecordBatch);

impl<'a> Reader<'a> {
    fn column(&self, name: &'static str) -> Result<&'a dyn Array, ColumnError> {
        self.0.column_by_name(name).map(AsRef::as_ref).ok_or(ColumnError(name))
    }

    pub fn ids(&self, name: &'static str) -> Result<Ids<'a>, ColumnError> {
        let array = self.column(name)?.as_fixed_size_binary_opt().ok_or(ColumnError(name))?;
        if array.value_length() == 16 { Ok(Ids(name, array)) } else { Err(ColumnError(name)) }
    }

    pub fn texts(&self, name: &'static str) -> Result<Texts<'a>, ColumnError> {
        self.column(name)?.as_string_opt::<i32>().map(|array| Texts(name, array)).ok_or(ColumnError(name))
    }

    pub fn binaries(&self, name: &'static str) -> Result<&'a BinaryArray, ColumnError> {
        self.column(name)?.as_binary_opt::<i32>().ok_or(ColumnError(name))
    }

    pub fn booleans(&self, name: &'static str) -> Result<&'a BooleanArray, ColumnError> {
        self.column(name)?.as_boolean_opt().ok_or(ColumnError(name))
    }

    pub fn numbers(&self, name: &'static str) -> Result<Numbers<'a>, ColumnError> {
        self.column(name)?.as_primitive_opt::<Int64Type>().map(Numbers).ok_or(ColumnError(name))
    }

    pub fn instants(&self, name: &'static str) -> Result<Instants<'a>, ColumnError> {
        self.column(name)?.as_primitive_opt::<TimestampMillisecondType>().map(Instants).ok_or(ColumnError(name))
    }
}

pub(super) struct Ids<'a>(&'static str, &'a FixedSizeBinaryArray);

impl Ids<'_> {
    pub fn get(&self, row: usize) -> Option<[u8; 16]> {
        if self.1.is_null(row) { None } else { self.1.value(row).try_into().ok() }
    }

    pub fn must(&self, row: usize) -> Result<[u8; 16], ColumnError> {
        self.get(row).ok_or(ColumnError(self.0))
    }
}

pub(super) struct Texts<'a>(&'static str, &'a StringArray);

impl Texts<'_> {
    pub fn get(&self, row: usize) -> Option<&str> {
        if self.1.is_null(row) { None } else { Some(self.1.value(row)) }
    }

    pub fn owned(&self, row: usize) -> Option<String> {
        self.get(row).map(str::to_owned)
    }

    pub fn word<T: FromStr>(&self, row: usize) -> Result<Option<T>, ColumnError> {
        self.get(row).map(str::parse).transpose().map_err(|_| ColumnError(self.0))
    }

    pub fn must_word<T: FromStr>(&self, row: usize) -> Result<T, ColumnError> {
        self.word(row)?.ok_or(ColumnError(self.0))
    }
}

pub(super) struct Numbers<'a>(&'a Int64Array);

impl Numbers<'_> {
    pub fn get(&self, row: usize) -> Option<i64> {
        if self.0.is_null(row) { None } else { Some(self.0.value(row)) }
    }
}

pub(super) struct Instants<'a>(&'a TimestampMillisecondArray);

impl Instants<'_> {
    pub fn get(&self, row: usize) -> Option<Millis> {
        if self.0.is_null(row) { None } else { Some(Millis(self.0.value(row))) }
    }
}
