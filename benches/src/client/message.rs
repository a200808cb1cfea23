/// A request as HTTP/1.1 bytes.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) path: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    /// Posts `review` to `path`, as the API server does.
    pub(crate) fn new(path: &'static str, review: &[u8]) -> Self {
        let mut bytes = format!(
            "POST {path}?timeout=5s HTTP/1.1\r\nHost: mimic.mimic.svc:443\r\nUser-Agent: kube-apiserver-admission\r\n\
             Content-Length: {}\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\n\
             Accept-Encoding: gzip\r\n\r\n",
            review.len()
        )
        .into_bytes();
        bytes.extend_from_slice(review);
        Self { path, bytes }
    }
}
