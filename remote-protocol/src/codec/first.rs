use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// Reads a list, of which the first `MOST` elements are kept: each may take many times its encoding.
pub(crate) fn first<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(First::<T, MOST>(PhantomData))
}

struct First<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for First<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut first = Vec::new();
        while let Some(element) = elements.next_element()? {
            if first.len() < MOST {
                first.push(element);
            }
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::codec;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Some {
        #[serde(deserialize_with = "super::first::<_, _, 3>")]
        first: Vec<String>,
        last: u8,
    }

    #[test]
    fn what_comes_after_the_first_is_read_and_not_kept() {
        for count in [0, 3, 4, 1000] {
            let texts = vec!["text"; count];
            let mut bytes = Vec::new();
            codec::encode(&(texts, 7_u8), &mut bytes).unwrap();
            let read: Some = codec::decode(&bytes).unwrap();
            assert_eq!(read, Some { first: vec!["text".to_owned(); count.min(3)], last: 7 });
        }
    }
}
