//! A row of PostgreSQL, read as serde reads an array of its columns.

use sea_orm::DbErr;
use sea_orm::sqlx::postgres::{PgRow, PgValueFormat};
use sea_orm::sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use serde::de::value::Error;
use serde::de::{
    Deserialize as _, DeserializeOwned, DeserializeSeed, Deserializer, Error as _,
    IntoDeserializer as _, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

/// Integers, texts, booleans and NULL. A struct or tuple in `T` is read from as many columns as it has fields.
pub(super) fn read<T: DeserializeOwned>(row: &PgRow) -> Result<T, DbErr> {
    let mut columns = Columns { row, next: 0 };
    T::deserialize(&mut columns).map_err(|error| DbErr::Type(error.to_string()))
}

struct Columns<'r> {
    row: &'r PgRow,
    next: usize,
}

impl Columns<'_> {
    fn next_is_null(&self) -> Result<bool, Error> {
        let value = self.row.try_get_raw(self.next).map_err(Error::custom)?;
        Ok(value.is_null())
    }
}

impl<'de> Deserializer<'de> for &mut Columns<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.row.try_get_raw(self.next).map_err(Error::custom)?;
        self.next += 1;
        if value.is_null() {
            return visitor.visit_unit();
        }
        let of_type = value.type_info();
        let unread = || Error::invalid_type(Unexpected::Other(of_type.name()), &"another type");
        if value.format() != PgValueFormat::Binary {
            return Err(unread());
        }
        let bytes = value.as_bytes().map_err(Error::custom)?;
        match (of_type.name(), bytes) {
            ("INT8", &[a, b, c, d, e, f, g, h]) => {
                visitor.visit_i64(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            ("INT4", &[a, b, c, d]) => visitor.visit_i32(i32::from_be_bytes([a, b, c, d])),
            ("BOOL", &[byte]) => visitor.visit_bool(byte != 0),
            ("TEXT", bytes) => visitor.visit_str(str::from_utf8(bytes).map_err(Error::custom)?),
            _ => Err(unread()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.next_is_null()? {
            self.next += 1;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Fields {
            columns: self,
            left: len,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name = String::deserialize(self)?;
        visitor.visit_enum(name.into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple_struct map identifier ignored_any
    }
}

struct Fields<'c, 'r> {
    columns: &'c mut Columns<'r>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.columns).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::{Store, on_both_databases, sql};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Push,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Part {
        number: u32,
        kind: Kind,
    }

    on_both_databases! {
        async fn columns_become_fields_in_order(store: Store) {
            let part = sql::fields(store.backend(), "CAST(8 AS bigint), CAST('push' AS text)");
            let columns = format!("CAST(-7 AS bigint), CAST(NULL AS text), {part}, CAST('ä' AS text), CAST(1 AS integer)");
            type Row = (i64, Option<String>, Part, Option<String>, i64);
            let rows: Vec<Row> = sql::list(store.read(), &columns, "", []).await.unwrap();
            let part = Part { number: 8, kind: Kind::Push };
            assert_eq!(rows, [(-7, None, part, Some("ä".to_owned()), 1)]);
        }

        async fn what_does_not_fit_is_an_error(store: Store) {
            for wrong in ["CAST(NULL AS bigint)", "CAST('1' AS text)"] {
                assert!(sql::list::<(i64,), _>(store.read(), wrong, "", []).await.is_err(), "{wrong}");
            }
            assert!(sql::list::<(u8,), _>(store.read(), "CAST(-1 AS bigint)", "", []).await.is_err());
            assert!(sql::list::<(i64, i64), _>(store.read(), "CAST(1 AS bigint)", "", []).await.is_err());
        }
    }
}
