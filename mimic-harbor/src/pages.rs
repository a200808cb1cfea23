//! Lists that come in pages.

use serde::de::DeserializeOwned;

use crate::api::Numbered;
use crate::client::{Client, Denial, Reply, Who};
use crate::error::HarborError;

/// Elements of a page: the most that Harbor gives.
pub(crate) const PAGE: usize = 100;

/// How often a list is read that changes meanwhile.
const ATTEMPTS: usize = 5;

/// Most pages of a list, so that a Harbor gone mad cannot fill the memory.
const PAGES: usize = 1000;

/// Reads a whole list. `known` is the order of its elements when it was last read, and is brought up to date.
///
/// Pages are counted, so an element that is removed from a page that was read already pulls another one from the next
/// page onto it, and that one is never seen. The list's length does not tell, as one may be added at the same time.
/// Hence a list of more than one page counts when it was read twice alike, or is as it was last time.
pub(crate) async fn read<T: DeserializeOwned + Numbered>(
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
        let order: Vec<u64> = elements.iter().map(T::number).collect();
        if pages <= 1 || order == *known {
            *known = order;
            return Ok(Ok(elements));
        }
        *known = order;
    }
    // What was read last may have holes, and must not be taken for what is known.
    known.clear();
    Err(HarborError::Unsteady { harbor: client.harbor(), path: list.to_owned() })
}

/// Reads all pages once, and says how many there were.
async fn pass<T: DeserializeOwned>(
    client: &Client,
    list: &str,
    query: &str,
) -> Result<Result<(usize, Vec<T>), Denial>, HarborError> {
    let mut all = Vec::new();
    for page in 1..=PAGES {
        let path = format!("{list}?page={page}&page_size={PAGE}&{query}");
        let (elements, total): (Vec<T>, _) = match client.get(&path, Who::Account).await? {
            Reply::Given(elements, total) => (elements, total),
            Reply::Denied(denial) => return Ok(Err(denial)),
        };
        let found = elements.len();
        all.extend(elements);
        // A page past the end is empty. Where the length of the list is not told, a page that is not full is the last.
        let at_end = total.map_or(found < PAGE, |total| page * PAGE >= total);
        if found == 0 || at_end {
            return Ok(Ok((page, all)));
        }
    }
    Err(client.unexpected(list, format!("the list has more than {} elements", PAGES * PAGE)))
}
