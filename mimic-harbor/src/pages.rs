//! Reads lists that Harbor returns in pages.

use serde::de::DeserializeOwned;

use crate::api::Identified;
use crate::client::{Caller, Client, Denial, Reply};
use crate::error::HarborError;

/// Elements of a page: the largest number that Harbor allows.
pub(crate) const PAGE: usize = 100;

/// How often a list is read that keeps changing.
pub(crate) const ATTEMPTS: usize = 5;

/// Most pages of a list, to limit memory if the responses never end.
const PAGES: usize = 1000;

/// Reads a whole list. `known` holds the IDs of its elements as last read, in their order, and is updated.
///
/// Harbor numbers the pages. If an element of a page that was already read is deleted, the first element of the next page
/// moves up and is never seen. The length of the list does not show this, because another element may be added at the
/// same time. So a list of several pages is valid only if two readings are the same, or if it has not changed since the
/// last time.
pub(crate) async fn read<T: DeserializeOwned + Identified>(
    client: &Client,
    list: &str,
    query: &str,
    known: &mut Vec<u64>,
) -> Result<Result<Vec<T>, Denial>, HarborError> {
    for _ in 0..ATTEMPTS {
        let (pages, elements) = match pass(client, list, query).await? {
            Ok(read) => read,
            Err(denial) => return Ok(Err(denial)),
        };
        let order: Vec<u64> = elements.iter().map(T::id).collect();
        if pages <= 1 || order == *known {
            *known = order;
            return Ok(Ok(elements));
        }
        *known = order;
    }
    // The last reading may be incomplete, so the next discovery must not compare with it.
    known.clear();
    Err(HarborError::ListChanging { harbor: client.harbor(), path: list.to_owned() })
}

/// Reads all pages once and returns their number.
async fn pass<T: DeserializeOwned>(
    client: &Client,
    list: &str,
    query: &str,
) -> Result<Result<(usize, Vec<T>), Denial>, HarborError> {
    let mut all = Vec::new();
    for page in 1..=PAGES {
        let path = format!("{list}?page={page}&page_size={PAGE}&{query}");
        let (elements, total): (Vec<T>, _) = match client.get(&path, Caller::Account).await? {
            Reply::Content(elements, total) => (elements, total),
            Reply::Denied(denial) => return Ok(Err(denial)),
        };
        let found = elements.len();
        all.extend(elements);
        // A page past the end is empty. If Harbor does not report the length of the list, a page that is not full is the last.
        let at_end = total.map_or(found < PAGE, |total| page * PAGE >= total);
        if found == 0 || at_end {
            return Ok(Ok((page, all)));
        }
    }
    Err(client.unexpected(list, format!("the list has more than {} elements", PAGES * PAGE)))
}
