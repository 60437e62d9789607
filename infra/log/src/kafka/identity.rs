//! Which topic this is: a topic that was deleted and made again has the same name and another id.
#![allow(unsafe_code, reason = "rdkafka has no safe way to DescribeTopics, and nothing else tells a topic's id")]
use rdkafka::{bindings as native, types::RDKafka};
use std::{
    ffi::{CStr, CString, c_char, c_int},
    ptr,
    time::Duration,
};

/// Frees what librdkafka made.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Result<Self, String> {
        if pointer.is_null() { Err("librdkafka is out of memory".into()) } else { Ok(Self(pointer, free)) }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `new` took a pointer that librdkafka made to be freed by this function, and nobody else frees it.
        unsafe { (self.1)(self.0) }
    }
}

/// The id of a topic, 16 bytes. Blocks for at most `timeout`.
///
/// # Safety
/// `client` is alive until this returns.
pub(super) unsafe fn topic_id(client: *mut RDKafka, topic: &str, timeout: Duration) -> Result<[u8; 16], String> {
    let name = CString::new(topic).map_err(|_| "the topic's name holds a zero".to_owned())?;
    let mut names: [*const c_char; 1] = [name.as_ptr()];
    let millis = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: all pointers come from librdkafka and live until the end of this function, those that `Owned` holds until it
    // is dropped, those that belong to an event as long as the event; `names` outlives the call that reads it.
    unsafe {
        let topics = native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let topics = Owned::new(topics, native::rd_kafka_TopicCollection_destroy)?;
        let kind = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = native::rd_kafka_AdminOptions_new(client, kind);
        let options = Owned::new(options, native::rd_kafka_AdminOptions_destroy)?;
        native::rd_kafka_AdminOptions_set_request_timeout(options.0, millis, ptr::null_mut(), 0);
        let queue = Owned::new(native::rd_kafka_queue_new(client), native::rd_kafka_queue_destroy)?;
        native::rd_kafka_DescribeTopics(client, topics.0, options.0, queue.0);
        let event = native::rd_kafka_queue_poll(queue.0, millis);
        if event.is_null() {
            return Err("the topic could not be asked for its id in time".into());
        }
        let event = Owned::new(event, native::rd_kafka_event_destroy)?;
        let result = native::rd_kafka_event_DescribeTopics_result(event.0);
        if result.is_null()
            || native::rd_kafka_event_error(event.0) != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            let text = native::rd_kafka_event_error_string(event.0);
            let text = if text.is_null() { "no answer".into() } else { CStr::from_ptr(text).to_string_lossy() };
            return Err(format!("the topic's id: {text}"));
        }
        let mut count = 0;
        let described = native::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if described.is_null() || count != 1 {
            return Err("the topic's id: no answer".into());
        }
        let id = native::rd_kafka_TopicDescription_topic_id(*described);
        if id.is_null() {
            return Err("the topic has no id: the brokers are too old".into());
        }
        let most = native::rd_kafka_Uuid_most_significant_bits(id);
        let least = native::rd_kafka_Uuid_least_significant_bits(id);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&most.to_be_bytes());
        bytes[8..].copy_from_slice(&least.to_be_bytes());
        if bytes == [0; 16] { Err("the topic has no id: the brokers are too old".into()) } else { Ok(bytes) }
    }
}
