//! The methods of AMQP 0-9-1: a struct each, an enum of all, a table that describes them.
//!
//! Generated from `spec/amqp091.toml` by `cargo xtask codegen`. Change the source, not this file.

use super::{Error, MethodSpec};
use crate::amqp091::cursor::{Cursor, Error as CursorError};

/// What is known of every method, in the order of their ids.
pub static METHODS: &[MethodSpec] = &[
    connection::Start::SPEC,
    connection::StartOk::SPEC,
    connection::Secure::SPEC,
    connection::SecureOk::SPEC,
    connection::Tune::SPEC,
    connection::TuneOk::SPEC,
    connection::Open::SPEC,
    connection::OpenOk::SPEC,
    connection::Close::SPEC,
    connection::CloseOk::SPEC,
    connection::Blocked::SPEC,
    connection::Unblocked::SPEC,
    connection::UpdateSecret::SPEC,
    connection::UpdateSecretOk::SPEC,
    channel::Open::SPEC,
    channel::OpenOk::SPEC,
    channel::Flow::SPEC,
    channel::FlowOk::SPEC,
    channel::Close::SPEC,
    channel::CloseOk::SPEC,
    access::Request::SPEC,
    access::RequestOk::SPEC,
    exchange::Declare::SPEC,
    exchange::DeclareOk::SPEC,
    exchange::Delete::SPEC,
    exchange::DeleteOk::SPEC,
    exchange::Bind::SPEC,
    exchange::BindOk::SPEC,
    exchange::Unbind::SPEC,
    exchange::UnbindOk::SPEC,
    queue::Declare::SPEC,
    queue::DeclareOk::SPEC,
    queue::Bind::SPEC,
    queue::BindOk::SPEC,
    queue::Purge::SPEC,
    queue::PurgeOk::SPEC,
    queue::Delete::SPEC,
    queue::DeleteOk::SPEC,
    queue::Unbind::SPEC,
    queue::UnbindOk::SPEC,
    basic::Qos::SPEC,
    basic::QosOk::SPEC,
    basic::Consume::SPEC,
    basic::ConsumeOk::SPEC,
    basic::Cancel::SPEC,
    basic::CancelOk::SPEC,
    basic::Publish::SPEC,
    basic::Return::SPEC,
    basic::Deliver::SPEC,
    basic::Get::SPEC,
    basic::GetOk::SPEC,
    basic::GetEmpty::SPEC,
    basic::Ack::SPEC,
    basic::Reject::SPEC,
    basic::RecoverAsync::SPEC,
    basic::Recover::SPEC,
    basic::RecoverOk::SPEC,
    basic::Nack::SPEC,
    confirm::Select::SPEC,
    confirm::SelectOk::SPEC,
    tx::Select::SPEC,
    tx::SelectOk::SPEC,
    tx::Commit::SPEC,
    tx::CommitOk::SPEC,
    tx::Rollback::SPEC,
    tx::RollbackOk::SPEC,
];

/// Any method with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method<'a> {
    /// `connection.start`.
    ConnectionStart(connection::Start<'a>),
    /// `connection.start-ok`.
    ConnectionStartOk(connection::StartOk<'a>),
    /// `connection.secure`.
    ConnectionSecure(connection::Secure<'a>),
    /// `connection.secure-ok`.
    ConnectionSecureOk(connection::SecureOk<'a>),
    /// `connection.tune`.
    ConnectionTune(connection::Tune),
    /// `connection.tune-ok`.
    ConnectionTuneOk(connection::TuneOk),
    /// `connection.open`.
    ConnectionOpen(connection::Open<'a>),
    /// `connection.open-ok`.
    ConnectionOpenOk(connection::OpenOk<'a>),
    /// `connection.close`.
    ConnectionClose(connection::Close<'a>),
    /// `connection.close-ok`.
    ConnectionCloseOk(connection::CloseOk),
    /// `connection.blocked`.
    ConnectionBlocked(connection::Blocked<'a>),
    /// `connection.unblocked`.
    ConnectionUnblocked(connection::Unblocked),
    /// `connection.update-secret`.
    ConnectionUpdateSecret(connection::UpdateSecret<'a>),
    /// `connection.update-secret-ok`.
    ConnectionUpdateSecretOk(connection::UpdateSecretOk),
    /// `channel.open`.
    ChannelOpen(channel::Open<'a>),
    /// `channel.open-ok`.
    ChannelOpenOk(channel::OpenOk<'a>),
    /// `channel.flow`.
    ChannelFlow(channel::Flow),
    /// `channel.flow-ok`.
    ChannelFlowOk(channel::FlowOk),
    /// `channel.close`.
    ChannelClose(channel::Close<'a>),
    /// `channel.close-ok`.
    ChannelCloseOk(channel::CloseOk),
    /// `access.request`.
    AccessRequest(access::Request<'a>),
    /// `access.request-ok`.
    AccessRequestOk(access::RequestOk),
    /// `exchange.declare`.
    ExchangeDeclare(exchange::Declare<'a>),
    /// `exchange.declare-ok`.
    ExchangeDeclareOk(exchange::DeclareOk),
    /// `exchange.delete`.
    ExchangeDelete(exchange::Delete<'a>),
    /// `exchange.delete-ok`.
    ExchangeDeleteOk(exchange::DeleteOk),
    /// `exchange.bind`.
    ExchangeBind(exchange::Bind<'a>),
    /// `exchange.bind-ok`.
    ExchangeBindOk(exchange::BindOk),
    /// `exchange.unbind`.
    ExchangeUnbind(exchange::Unbind<'a>),
    /// `exchange.unbind-ok`.
    ExchangeUnbindOk(exchange::UnbindOk),
    /// `queue.declare`.
    QueueDeclare(queue::Declare<'a>),
    /// `queue.declare-ok`.
    QueueDeclareOk(queue::DeclareOk<'a>),
    /// `queue.bind`.
    QueueBind(queue::Bind<'a>),
    /// `queue.bind-ok`.
    QueueBindOk(queue::BindOk),
    /// `queue.purge`.
    QueuePurge(queue::Purge<'a>),
    /// `queue.purge-ok`.
    QueuePurgeOk(queue::PurgeOk),
    /// `queue.delete`.
    QueueDelete(queue::Delete<'a>),
    /// `queue.delete-ok`.
    QueueDeleteOk(queue::DeleteOk),
    /// `queue.unbind`.
    QueueUnbind(queue::Unbind<'a>),
    /// `queue.unbind-ok`.
    QueueUnbindOk(queue::UnbindOk),
    /// `basic.qos`.
    BasicQos(basic::Qos),
    /// `basic.qos-ok`.
    BasicQosOk(basic::QosOk),
    /// `basic.consume`.
    BasicConsume(basic::Consume<'a>),
    /// `basic.consume-ok`.
    BasicConsumeOk(basic::ConsumeOk<'a>),
    /// `basic.cancel`.
    BasicCancel(basic::Cancel<'a>),
    /// `basic.cancel-ok`.
    BasicCancelOk(basic::CancelOk<'a>),
    /// `basic.publish`.
    BasicPublish(basic::Publish<'a>),
    /// `basic.return`.
    BasicReturn(basic::Return<'a>),
    /// `basic.deliver`.
    BasicDeliver(basic::Deliver<'a>),
    /// `basic.get`.
    BasicGet(basic::Get<'a>),
    /// `basic.get-ok`.
    BasicGetOk(basic::GetOk<'a>),
    /// `basic.get-empty`.
    BasicGetEmpty(basic::GetEmpty<'a>),
    /// `basic.ack`.
    BasicAck(basic::Ack),
    /// `basic.reject`.
    BasicReject(basic::Reject),
    /// `basic.recover-async`.
    BasicRecoverAsync(basic::RecoverAsync),
    /// `basic.recover`.
    BasicRecover(basic::Recover),
    /// `basic.recover-ok`.
    BasicRecoverOk(basic::RecoverOk),
    /// `basic.nack`.
    BasicNack(basic::Nack),
    /// `confirm.select`.
    ConfirmSelect(confirm::Select),
    /// `confirm.select-ok`.
    ConfirmSelectOk(confirm::SelectOk),
    /// `tx.select`.
    TxSelect(tx::Select),
    /// `tx.select-ok`.
    TxSelectOk(tx::SelectOk),
    /// `tx.commit`.
    TxCommit(tx::Commit),
    /// `tx.commit-ok`.
    TxCommitOk(tx::CommitOk),
    /// `tx.rollback`.
    TxRollback(tx::Rollback),
    /// `tx.rollback-ok`.
    TxRollbackOk(tx::RollbackOk),
}

impl<'a> Method<'a> {
    /// Reads the arguments of the method that the ids name.
    #[inline]
    pub(super) fn read(class: u16, method: u16, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let read: Result<Self, CursorError> = match (class, method) {
            (10, 10) => connection::Start::read(cursor).map(Method::ConnectionStart),
            (10, 11) => connection::StartOk::read(cursor).map(Method::ConnectionStartOk),
            (10, 20) => connection::Secure::read(cursor).map(Method::ConnectionSecure),
            (10, 21) => connection::SecureOk::read(cursor).map(Method::ConnectionSecureOk),
            (10, 30) => connection::Tune::read(cursor).map(Method::ConnectionTune),
            (10, 31) => connection::TuneOk::read(cursor).map(Method::ConnectionTuneOk),
            (10, 40) => connection::Open::read(cursor).map(Method::ConnectionOpen),
            (10, 41) => connection::OpenOk::read(cursor).map(Method::ConnectionOpenOk),
            (10, 50) => connection::Close::read(cursor).map(Method::ConnectionClose),
            (10, 51) => connection::CloseOk::read(cursor).map(Method::ConnectionCloseOk),
            (10, 60) => connection::Blocked::read(cursor).map(Method::ConnectionBlocked),
            (10, 61) => connection::Unblocked::read(cursor).map(Method::ConnectionUnblocked),
            (10, 70) => connection::UpdateSecret::read(cursor).map(Method::ConnectionUpdateSecret),
            (10, 71) => connection::UpdateSecretOk::read(cursor).map(Method::ConnectionUpdateSecretOk),
            (20, 10) => channel::Open::read(cursor).map(Method::ChannelOpen),
            (20, 11) => channel::OpenOk::read(cursor).map(Method::ChannelOpenOk),
            (20, 20) => channel::Flow::read(cursor).map(Method::ChannelFlow),
            (20, 21) => channel::FlowOk::read(cursor).map(Method::ChannelFlowOk),
            (20, 40) => channel::Close::read(cursor).map(Method::ChannelClose),
            (20, 41) => channel::CloseOk::read(cursor).map(Method::ChannelCloseOk),
            (30, 10) => access::Request::read(cursor).map(Method::AccessRequest),
            (30, 11) => access::RequestOk::read(cursor).map(Method::AccessRequestOk),
            (40, 10) => exchange::Declare::read(cursor).map(Method::ExchangeDeclare),
            (40, 11) => exchange::DeclareOk::read(cursor).map(Method::ExchangeDeclareOk),
            (40, 20) => exchange::Delete::read(cursor).map(Method::ExchangeDelete),
            (40, 21) => exchange::DeleteOk::read(cursor).map(Method::ExchangeDeleteOk),
            (40, 30) => exchange::Bind::read(cursor).map(Method::ExchangeBind),
            (40, 31) => exchange::BindOk::read(cursor).map(Method::ExchangeBindOk),
            (40, 40) => exchange::Unbind::read(cursor).map(Method::ExchangeUnbind),
            (40, 51) => exchange::UnbindOk::read(cursor).map(Method::ExchangeUnbindOk),
            (50, 10) => queue::Declare::read(cursor).map(Method::QueueDeclare),
            (50, 11) => queue::DeclareOk::read(cursor).map(Method::QueueDeclareOk),
            (50, 20) => queue::Bind::read(cursor).map(Method::QueueBind),
            (50, 21) => queue::BindOk::read(cursor).map(Method::QueueBindOk),
            (50, 30) => queue::Purge::read(cursor).map(Method::QueuePurge),
            (50, 31) => queue::PurgeOk::read(cursor).map(Method::QueuePurgeOk),
            (50, 40) => queue::Delete::read(cursor).map(Method::QueueDelete),
            (50, 41) => queue::DeleteOk::read(cursor).map(Method::QueueDeleteOk),
            (50, 50) => queue::Unbind::read(cursor).map(Method::QueueUnbind),
            (50, 51) => queue::UnbindOk::read(cursor).map(Method::QueueUnbindOk),
            (60, 10) => basic::Qos::read(cursor).map(Method::BasicQos),
            (60, 11) => basic::QosOk::read(cursor).map(Method::BasicQosOk),
            (60, 20) => basic::Consume::read(cursor).map(Method::BasicConsume),
            (60, 21) => basic::ConsumeOk::read(cursor).map(Method::BasicConsumeOk),
            (60, 30) => basic::Cancel::read(cursor).map(Method::BasicCancel),
            (60, 31) => basic::CancelOk::read(cursor).map(Method::BasicCancelOk),
            (60, 40) => basic::Publish::read(cursor).map(Method::BasicPublish),
            (60, 50) => basic::Return::read(cursor).map(Method::BasicReturn),
            (60, 60) => basic::Deliver::read(cursor).map(Method::BasicDeliver),
            (60, 70) => basic::Get::read(cursor).map(Method::BasicGet),
            (60, 71) => basic::GetOk::read(cursor).map(Method::BasicGetOk),
            (60, 72) => basic::GetEmpty::read(cursor).map(Method::BasicGetEmpty),
            (60, 80) => basic::Ack::read(cursor).map(Method::BasicAck),
            (60, 90) => basic::Reject::read(cursor).map(Method::BasicReject),
            (60, 100) => basic::RecoverAsync::read(cursor).map(Method::BasicRecoverAsync),
            (60, 110) => basic::Recover::read(cursor).map(Method::BasicRecover),
            (60, 111) => basic::RecoverOk::read(cursor).map(Method::BasicRecoverOk),
            (60, 120) => basic::Nack::read(cursor).map(Method::BasicNack),
            (85, 10) => confirm::Select::read(cursor).map(Method::ConfirmSelect),
            (85, 11) => confirm::SelectOk::read(cursor).map(Method::ConfirmSelectOk),
            (90, 10) => tx::Select::read(cursor).map(Method::TxSelect),
            (90, 11) => tx::SelectOk::read(cursor).map(Method::TxSelectOk),
            (90, 20) => tx::Commit::read(cursor).map(Method::TxCommit),
            (90, 21) => tx::CommitOk::read(cursor).map(Method::TxCommitOk),
            (90, 30) => tx::Rollback::read(cursor).map(Method::TxRollback),
            (90, 31) => tx::RollbackOk::read(cursor).map(Method::TxRollbackOk),
            _ => return Err(Error::Unknown { class, method }),
        };
        read.map_err(|cause| Error::Malformed { class, method, cause })
    }

    /// Appends the arguments alone.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Method::ConnectionStart(method) => method.write(out),
            Method::ConnectionStartOk(method) => method.write(out),
            Method::ConnectionSecure(method) => method.write(out),
            Method::ConnectionSecureOk(method) => method.write(out),
            Method::ConnectionTune(method) => method.write(out),
            Method::ConnectionTuneOk(method) => method.write(out),
            Method::ConnectionOpen(method) => method.write(out),
            Method::ConnectionOpenOk(method) => method.write(out),
            Method::ConnectionClose(method) => method.write(out),
            Method::ConnectionCloseOk(method) => method.write(out),
            Method::ConnectionBlocked(method) => method.write(out),
            Method::ConnectionUnblocked(method) => method.write(out),
            Method::ConnectionUpdateSecret(method) => method.write(out),
            Method::ConnectionUpdateSecretOk(method) => method.write(out),
            Method::ChannelOpen(method) => method.write(out),
            Method::ChannelOpenOk(method) => method.write(out),
            Method::ChannelFlow(method) => method.write(out),
            Method::ChannelFlowOk(method) => method.write(out),
            Method::ChannelClose(method) => method.write(out),
            Method::ChannelCloseOk(method) => method.write(out),
            Method::AccessRequest(method) => method.write(out),
            Method::AccessRequestOk(method) => method.write(out),
            Method::ExchangeDeclare(method) => method.write(out),
            Method::ExchangeDeclareOk(method) => method.write(out),
            Method::ExchangeDelete(method) => method.write(out),
            Method::ExchangeDeleteOk(method) => method.write(out),
            Method::ExchangeBind(method) => method.write(out),
            Method::ExchangeBindOk(method) => method.write(out),
            Method::ExchangeUnbind(method) => method.write(out),
            Method::ExchangeUnbindOk(method) => method.write(out),
            Method::QueueDeclare(method) => method.write(out),
            Method::QueueDeclareOk(method) => method.write(out),
            Method::QueueBind(method) => method.write(out),
            Method::QueueBindOk(method) => method.write(out),
            Method::QueuePurge(method) => method.write(out),
            Method::QueuePurgeOk(method) => method.write(out),
            Method::QueueDelete(method) => method.write(out),
            Method::QueueDeleteOk(method) => method.write(out),
            Method::QueueUnbind(method) => method.write(out),
            Method::QueueUnbindOk(method) => method.write(out),
            Method::BasicQos(method) => method.write(out),
            Method::BasicQosOk(method) => method.write(out),
            Method::BasicConsume(method) => method.write(out),
            Method::BasicConsumeOk(method) => method.write(out),
            Method::BasicCancel(method) => method.write(out),
            Method::BasicCancelOk(method) => method.write(out),
            Method::BasicPublish(method) => method.write(out),
            Method::BasicReturn(method) => method.write(out),
            Method::BasicDeliver(method) => method.write(out),
            Method::BasicGet(method) => method.write(out),
            Method::BasicGetOk(method) => method.write(out),
            Method::BasicGetEmpty(method) => method.write(out),
            Method::BasicAck(method) => method.write(out),
            Method::BasicReject(method) => method.write(out),
            Method::BasicRecoverAsync(method) => method.write(out),
            Method::BasicRecover(method) => method.write(out),
            Method::BasicRecoverOk(method) => method.write(out),
            Method::BasicNack(method) => method.write(out),
            Method::ConfirmSelect(method) => method.write(out),
            Method::ConfirmSelectOk(method) => method.write(out),
            Method::TxSelect(method) => method.write(out),
            Method::TxSelectOk(method) => method.write(out),
            Method::TxCommit(method) => method.write(out),
            Method::TxCommitOk(method) => method.write(out),
            Method::TxRollback(method) => method.write(out),
            Method::TxRollbackOk(method) => method.write(out),
        }
    }

    /// What is known of this method.
    pub fn spec(&self) -> &'static MethodSpec {
        match self {
            Method::ConnectionStart(_) => &connection::Start::SPEC,
            Method::ConnectionStartOk(_) => &connection::StartOk::SPEC,
            Method::ConnectionSecure(_) => &connection::Secure::SPEC,
            Method::ConnectionSecureOk(_) => &connection::SecureOk::SPEC,
            Method::ConnectionTune(_) => &connection::Tune::SPEC,
            Method::ConnectionTuneOk(_) => &connection::TuneOk::SPEC,
            Method::ConnectionOpen(_) => &connection::Open::SPEC,
            Method::ConnectionOpenOk(_) => &connection::OpenOk::SPEC,
            Method::ConnectionClose(_) => &connection::Close::SPEC,
            Method::ConnectionCloseOk(_) => &connection::CloseOk::SPEC,
            Method::ConnectionBlocked(_) => &connection::Blocked::SPEC,
            Method::ConnectionUnblocked(_) => &connection::Unblocked::SPEC,
            Method::ConnectionUpdateSecret(_) => &connection::UpdateSecret::SPEC,
            Method::ConnectionUpdateSecretOk(_) => &connection::UpdateSecretOk::SPEC,
            Method::ChannelOpen(_) => &channel::Open::SPEC,
            Method::ChannelOpenOk(_) => &channel::OpenOk::SPEC,
            Method::ChannelFlow(_) => &channel::Flow::SPEC,
            Method::ChannelFlowOk(_) => &channel::FlowOk::SPEC,
            Method::ChannelClose(_) => &channel::Close::SPEC,
            Method::ChannelCloseOk(_) => &channel::CloseOk::SPEC,
            Method::AccessRequest(_) => &access::Request::SPEC,
            Method::AccessRequestOk(_) => &access::RequestOk::SPEC,
            Method::ExchangeDeclare(_) => &exchange::Declare::SPEC,
            Method::ExchangeDeclareOk(_) => &exchange::DeclareOk::SPEC,
            Method::ExchangeDelete(_) => &exchange::Delete::SPEC,
            Method::ExchangeDeleteOk(_) => &exchange::DeleteOk::SPEC,
            Method::ExchangeBind(_) => &exchange::Bind::SPEC,
            Method::ExchangeBindOk(_) => &exchange::BindOk::SPEC,
            Method::ExchangeUnbind(_) => &exchange::Unbind::SPEC,
            Method::ExchangeUnbindOk(_) => &exchange::UnbindOk::SPEC,
            Method::QueueDeclare(_) => &queue::Declare::SPEC,
            Method::QueueDeclareOk(_) => &queue::DeclareOk::SPEC,
            Method::QueueBind(_) => &queue::Bind::SPEC,
            Method::QueueBindOk(_) => &queue::BindOk::SPEC,
            Method::QueuePurge(_) => &queue::Purge::SPEC,
            Method::QueuePurgeOk(_) => &queue::PurgeOk::SPEC,
            Method::QueueDelete(_) => &queue::Delete::SPEC,
            Method::QueueDeleteOk(_) => &queue::DeleteOk::SPEC,
            Method::QueueUnbind(_) => &queue::Unbind::SPEC,
            Method::QueueUnbindOk(_) => &queue::UnbindOk::SPEC,
            Method::BasicQos(_) => &basic::Qos::SPEC,
            Method::BasicQosOk(_) => &basic::QosOk::SPEC,
            Method::BasicConsume(_) => &basic::Consume::SPEC,
            Method::BasicConsumeOk(_) => &basic::ConsumeOk::SPEC,
            Method::BasicCancel(_) => &basic::Cancel::SPEC,
            Method::BasicCancelOk(_) => &basic::CancelOk::SPEC,
            Method::BasicPublish(_) => &basic::Publish::SPEC,
            Method::BasicReturn(_) => &basic::Return::SPEC,
            Method::BasicDeliver(_) => &basic::Deliver::SPEC,
            Method::BasicGet(_) => &basic::Get::SPEC,
            Method::BasicGetOk(_) => &basic::GetOk::SPEC,
            Method::BasicGetEmpty(_) => &basic::GetEmpty::SPEC,
            Method::BasicAck(_) => &basic::Ack::SPEC,
            Method::BasicReject(_) => &basic::Reject::SPEC,
            Method::BasicRecoverAsync(_) => &basic::RecoverAsync::SPEC,
            Method::BasicRecover(_) => &basic::Recover::SPEC,
            Method::BasicRecoverOk(_) => &basic::RecoverOk::SPEC,
            Method::BasicNack(_) => &basic::Nack::SPEC,
            Method::ConfirmSelect(_) => &confirm::Select::SPEC,
            Method::ConfirmSelectOk(_) => &confirm::SelectOk::SPEC,
            Method::TxSelect(_) => &tx::Select::SPEC,
            Method::TxSelectOk(_) => &tx::SelectOk::SPEC,
            Method::TxCommit(_) => &tx::Commit::SPEC,
            Method::TxCommitOk(_) => &tx::CommitOk::SPEC,
            Method::TxRollback(_) => &tx::Rollback::SPEC,
            Method::TxRollbackOk(_) => &tx::RollbackOk::SPEC,
        }
    }
}

/// Class connection, id 10.
pub mod connection {
    use super::Method;
    use crate::amqp091::cursor::{Cursor, Error};
    use crate::amqp091::frame;
    use crate::amqp091::method::{FieldKind, MethodSpec, put_longstr, put_shortstr, put_table};
    use crate::amqp091::table::Table;

    /// `connection.start`, 10 10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Start<'a> {
        /// Octet.
        pub version_major: u8,
        /// Octet.
        pub version_minor: u8,
        /// Table.
        pub server_properties: Table<'a>,
        /// LongStr.
        pub mechanisms: &'a [u8],
        /// LongStr.
        pub locales: &'a [u8],
    }

    impl<'a> Start<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 10;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.start",
            fields: &[
                ("version_major", FieldKind::Octet),
                ("version_minor", FieldKind::Octet),
                ("server_properties", FieldKind::Table),
                ("mechanisms", FieldKind::LongStr),
                ("locales", FieldKind::LongStr),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let version_major = cursor.u8()?;
            let version_minor = cursor.u8()?;
            let server_properties = cursor.table()?;
            let mechanisms = cursor.longstr()?;
            let locales = cursor.longstr()?;
            Ok(Self {
                version_major,
                version_minor,
                server_properties,
                mechanisms,
                locales,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.push(self.version_major);
            out.push(self.version_minor);
            put_table(out, self.server_properties);
            put_longstr(out, self.mechanisms);
            put_longstr(out, self.locales);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 10]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Start<'a>> for Method<'a> {
        #[inline]
        fn from(method: Start<'a>) -> Self {
            Method::ConnectionStart(method)
        }
    }

    /// `connection.start-ok`, 10 11.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct StartOk<'a> {
        /// Table.
        pub client_properties: Table<'a>,
        /// ShortStr.
        pub mechanism: &'a str,
        /// LongStr.
        pub response: &'a [u8],
        /// ShortStr.
        pub locale: &'a str,
    }

    impl<'a> StartOk<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 11;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.start-ok",
            fields: &[
                ("client_properties", FieldKind::Table),
                ("mechanism", FieldKind::ShortStr),
                ("response", FieldKind::LongStr),
                ("locale", FieldKind::ShortStr),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let client_properties = cursor.table()?;
            let mechanism = cursor.shortstr_utf8()?;
            let response = cursor.longstr()?;
            let locale = cursor.shortstr_utf8()?;
            Ok(Self {
                client_properties,
                mechanism,
                response,
                locale,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_table(out, self.client_properties);
            put_shortstr(out, self.mechanism);
            put_longstr(out, self.response);
            put_shortstr(out, self.locale);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 11]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<StartOk<'a>> for Method<'a> {
        #[inline]
        fn from(method: StartOk<'a>) -> Self {
            Method::ConnectionStartOk(method)
        }
    }

    /// `connection.secure`, 10 20.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Secure<'a> {
        /// LongStr.
        pub challenge: &'a [u8],
    }

    impl<'a> Secure<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 20;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.secure",
            fields: &[
                ("challenge", FieldKind::LongStr),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let challenge = cursor.longstr()?;
            Ok(Self {
                challenge,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_longstr(out, self.challenge);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 20]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Secure<'a>> for Method<'a> {
        #[inline]
        fn from(method: Secure<'a>) -> Self {
            Method::ConnectionSecure(method)
        }
    }

    /// `connection.secure-ok`, 10 21.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct SecureOk<'a> {
        /// LongStr.
        pub response: &'a [u8],
    }

    impl<'a> SecureOk<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 21;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.secure-ok",
            fields: &[
                ("response", FieldKind::LongStr),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let response = cursor.longstr()?;
            Ok(Self {
                response,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_longstr(out, self.response);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 21]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<SecureOk<'a>> for Method<'a> {
        #[inline]
        fn from(method: SecureOk<'a>) -> Self {
            Method::ConnectionSecureOk(method)
        }
    }

    /// `connection.tune`, 10 30.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Tune {
        /// Short.
        pub channel_max: u16,
        /// Long.
        pub frame_max: u32,
        /// Short.
        pub heartbeat: u16,
    }

    impl Tune {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 30;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.tune",
            fields: &[
                ("channel_max", FieldKind::Short),
                ("frame_max", FieldKind::Long),
                ("heartbeat", FieldKind::Short),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let channel_max = cursor.u16()?;
            let frame_max = cursor.u32()?;
            let heartbeat = cursor.u16()?;
            Ok(Self {
                channel_max,
                frame_max,
                heartbeat,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.channel_max.to_be_bytes());
            out.extend_from_slice(&self.frame_max.to_be_bytes());
            out.extend_from_slice(&self.heartbeat.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 30]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Tune> for Method<'_> {
        #[inline]
        fn from(method: Tune) -> Self {
            Method::ConnectionTune(method)
        }
    }

    /// `connection.tune-ok`, 10 31.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct TuneOk {
        /// Short.
        pub channel_max: u16,
        /// Long.
        pub frame_max: u32,
        /// Short.
        pub heartbeat: u16,
    }

    impl TuneOk {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 31;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.tune-ok",
            fields: &[
                ("channel_max", FieldKind::Short),
                ("frame_max", FieldKind::Long),
                ("heartbeat", FieldKind::Short),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let channel_max = cursor.u16()?;
            let frame_max = cursor.u32()?;
            let heartbeat = cursor.u16()?;
            Ok(Self {
                channel_max,
                frame_max,
                heartbeat,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.channel_max.to_be_bytes());
            out.extend_from_slice(&self.frame_max.to_be_bytes());
            out.extend_from_slice(&self.heartbeat.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 31]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<TuneOk> for Method<'_> {
        #[inline]
        fn from(method: TuneOk) -> Self {
            Method::ConnectionTuneOk(method)
        }
    }

    /// `connection.open`, 10 40.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Open<'a> {
        /// ShortStr.
        pub vhost: &'a str,
        /// ShortStr, reserved.
        pub capabilities: &'a str,
        /// Bit, reserved.
        pub insist: bool,
    }

    impl<'a> Open<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 40;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.open",
            fields: &[
                ("vhost", FieldKind::ShortStr),
                ("capabilities", FieldKind::ShortStr),
                ("insist", FieldKind::Bit),
            ],
            reserved: &["capabilities", "insist"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let vhost = cursor.shortstr_utf8()?;
            let capabilities = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                vhost,
                capabilities,
                insist: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.vhost);
            put_shortstr(out, self.capabilities);
            out.push(u8::from(self.insist));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 40]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Open<'a>> for Method<'a> {
        #[inline]
        fn from(method: Open<'a>) -> Self {
            Method::ConnectionOpen(method)
        }
    }

    /// `connection.open-ok`, 10 41.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct OpenOk<'a> {
        /// ShortStr, reserved.
        pub known_hosts: &'a str,
    }

    impl<'a> OpenOk<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 41;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.open-ok",
            fields: &[
                ("known_hosts", FieldKind::ShortStr),
            ],
            reserved: &["known_hosts"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let known_hosts = cursor.shortstr_utf8()?;
            Ok(Self {
                known_hosts,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.known_hosts);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 41]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<OpenOk<'a>> for Method<'a> {
        #[inline]
        fn from(method: OpenOk<'a>) -> Self {
            Method::ConnectionOpenOk(method)
        }
    }

    /// `connection.close`, 10 50.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Close<'a> {
        /// Short.
        pub code: u16,
        /// ShortStr.
        pub text: &'a str,
        /// Short.
        pub class: u16,
        /// Short.
        pub method: u16,
    }

    impl<'a> Close<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 50;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.close",
            fields: &[
                ("code", FieldKind::Short),
                ("text", FieldKind::ShortStr),
                ("class", FieldKind::Short),
                ("method", FieldKind::Short),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let code = cursor.u16()?;
            let text = cursor.shortstr_utf8()?;
            let class = cursor.u16()?;
            let method = cursor.u16()?;
            Ok(Self {
                code,
                text,
                class,
                method,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.code.to_be_bytes());
            put_shortstr(out, self.text);
            out.extend_from_slice(&self.class.to_be_bytes());
            out.extend_from_slice(&self.method.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 50]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Close<'a>> for Method<'a> {
        #[inline]
        fn from(method: Close<'a>) -> Self {
            Method::ConnectionClose(method)
        }
    }

    /// `connection.close-ok`, 10 51.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct CloseOk;

    impl CloseOk {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 51;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.close-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 51]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<CloseOk> for Method<'_> {
        #[inline]
        fn from(method: CloseOk) -> Self {
            Method::ConnectionCloseOk(method)
        }
    }

    /// `connection.blocked`, 10 60.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Blocked<'a> {
        /// ShortStr.
        pub reason: &'a str,
    }

    impl<'a> Blocked<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 60;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.blocked",
            fields: &[
                ("reason", FieldKind::ShortStr),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let reason = cursor.shortstr_utf8()?;
            Ok(Self {
                reason,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.reason);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 60]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Blocked<'a>> for Method<'a> {
        #[inline]
        fn from(method: Blocked<'a>) -> Self {
            Method::ConnectionBlocked(method)
        }
    }

    /// `connection.unblocked`, 10 61.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Unblocked;

    impl Unblocked {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 61;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.unblocked",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 61]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Unblocked> for Method<'_> {
        #[inline]
        fn from(method: Unblocked) -> Self {
            Method::ConnectionUnblocked(method)
        }
    }

    /// `connection.update-secret`, 10 70.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct UpdateSecret<'a> {
        /// LongStr.
        pub new_secret: &'a [u8],
        /// ShortStr.
        pub reason: &'a str,
    }

    impl<'a> UpdateSecret<'a> {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 70;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.update-secret",
            fields: &[
                ("new_secret", FieldKind::LongStr),
                ("reason", FieldKind::ShortStr),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let new_secret = cursor.longstr()?;
            let reason = cursor.shortstr_utf8()?;
            Ok(Self {
                new_secret,
                reason,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_longstr(out, self.new_secret);
            put_shortstr(out, self.reason);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 70]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<UpdateSecret<'a>> for Method<'a> {
        #[inline]
        fn from(method: UpdateSecret<'a>) -> Self {
            Method::ConnectionUpdateSecret(method)
        }
    }

    /// `connection.update-secret-ok`, 10 71.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct UpdateSecretOk;

    impl UpdateSecretOk {
        /// The class id.
        pub const CLASS: u16 = 10;
        /// The method id.
        pub const METHOD: u16 = 71;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "connection.update-secret-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 10, 0, 71]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<UpdateSecretOk> for Method<'_> {
        #[inline]
        fn from(method: UpdateSecretOk) -> Self {
            Method::ConnectionUpdateSecretOk(method)
        }
    }
}

/// Class channel, id 20.
pub mod channel {
    use super::Method;
    use crate::amqp091::cursor::{Cursor, Error};
    use crate::amqp091::frame;
    use crate::amqp091::method::{FieldKind, MethodSpec, put_longstr, put_shortstr};

    /// `channel.open`, 20 10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Open<'a> {
        /// ShortStr, reserved.
        pub out_of_band: &'a str,
    }

    impl<'a> Open<'a> {
        /// The class id.
        pub const CLASS: u16 = 20;
        /// The method id.
        pub const METHOD: u16 = 10;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "channel.open",
            fields: &[
                ("out_of_band", FieldKind::ShortStr),
            ],
            reserved: &["out_of_band"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let out_of_band = cursor.shortstr_utf8()?;
            Ok(Self {
                out_of_band,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.out_of_band);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 20, 0, 10]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Open<'a>> for Method<'a> {
        #[inline]
        fn from(method: Open<'a>) -> Self {
            Method::ChannelOpen(method)
        }
    }

    /// `channel.open-ok`, 20 11.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct OpenOk<'a> {
        /// LongStr, reserved.
        pub channel_id: &'a [u8],
    }

    impl<'a> OpenOk<'a> {
        /// The class id.
        pub const CLASS: u16 = 20;
        /// The method id.
        pub const METHOD: u16 = 11;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "channel.open-ok",
            fields: &[
                ("channel_id", FieldKind::LongStr),
            ],
            reserved: &["channel_id"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let channel_id = cursor.longstr()?;
            Ok(Self {
                channel_id,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_longstr(out, self.channel_id);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 20, 0, 11]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<OpenOk<'a>> for Method<'a> {
        #[inline]
        fn from(method: OpenOk<'a>) -> Self {
            Method::ChannelOpenOk(method)
        }
    }

    /// `channel.flow`, 20 20.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Flow {
        /// Bit.
        pub active: bool,
    }

    impl Flow {
        /// The class id.
        pub const CLASS: u16 = 20;
        /// The method id.
        pub const METHOD: u16 = 20;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "channel.flow",
            fields: &[
                ("active", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let bits_0 = cursor.u8()?;
            Ok(Self {
                active: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.push(u8::from(self.active));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 20, 0, 20]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Flow> for Method<'_> {
        #[inline]
        fn from(method: Flow) -> Self {
            Method::ChannelFlow(method)
        }
    }

    /// `channel.flow-ok`, 20 21.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct FlowOk {
        /// Bit.
        pub active: bool,
    }

    impl FlowOk {
        /// The class id.
        pub const CLASS: u16 = 20;
        /// The method id.
        pub const METHOD: u16 = 21;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "channel.flow-ok",
            fields: &[
                ("active", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let bits_0 = cursor.u8()?;
            Ok(Self {
                active: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.push(u8::from(self.active));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 20, 0, 21]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<FlowOk> for Method<'_> {
        #[inline]
        fn from(method: FlowOk) -> Self {
            Method::ChannelFlowOk(method)
        }
    }

    /// `channel.close`, 20 40.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Close<'a> {
        /// Short.
        pub code: u16,
        /// ShortStr.
        pub text: &'a str,
        /// Short.
        pub class: u16,
        /// Short.
        pub method: u16,
    }

    impl<'a> Close<'a> {
        /// The class id.
        pub const CLASS: u16 = 20;
        /// The method id.
        pub const METHOD: u16 = 40;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "channel.close",
            fields: &[
                ("code", FieldKind::Short),
                ("text", FieldKind::ShortStr),
                ("class", FieldKind::Short),
                ("method", FieldKind::Short),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let code = cursor.u16()?;
            let text = cursor.shortstr_utf8()?;
            let class = cursor.u16()?;
            let method = cursor.u16()?;
            Ok(Self {
                code,
                text,
                class,
                method,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.code.to_be_bytes());
            put_shortstr(out, self.text);
            out.extend_from_slice(&self.class.to_be_bytes());
            out.extend_from_slice(&self.method.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 20, 0, 40]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Close<'a>> for Method<'a> {
        #[inline]
        fn from(method: Close<'a>) -> Self {
            Method::ChannelClose(method)
        }
    }

    /// `channel.close-ok`, 20 41.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct CloseOk;

    impl CloseOk {
        /// The class id.
        pub const CLASS: u16 = 20;
        /// The method id.
        pub const METHOD: u16 = 41;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "channel.close-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 20, 0, 41]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<CloseOk> for Method<'_> {
        #[inline]
        fn from(method: CloseOk) -> Self {
            Method::ChannelCloseOk(method)
        }
    }
}

/// Class access, id 30.
pub mod access {
    use super::Method;
    use crate::amqp091::cursor::{Cursor, Error};
    use crate::amqp091::frame;
    use crate::amqp091::method::{FieldKind, MethodSpec, put_shortstr};

    /// `access.request`, 30 10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Request<'a> {
        /// ShortStr.
        pub realm: &'a str,
        /// Bit.
        pub exclusive: bool,
        /// Bit.
        pub passive: bool,
        /// Bit.
        pub active: bool,
        /// Bit.
        pub write: bool,
        /// Bit.
        pub read: bool,
    }

    impl<'a> Request<'a> {
        /// The class id.
        pub const CLASS: u16 = 30;
        /// The method id.
        pub const METHOD: u16 = 10;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "access.request",
            fields: &[
                ("realm", FieldKind::ShortStr),
                ("exclusive", FieldKind::Bit),
                ("passive", FieldKind::Bit),
                ("active", FieldKind::Bit),
                ("write", FieldKind::Bit),
                ("read", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let realm = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                realm,
                exclusive: bits_0 & 1 != 0,
                passive: bits_0 & 2 != 0,
                active: bits_0 & 4 != 0,
                write: bits_0 & 8 != 0,
                read: bits_0 & 16 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.realm);
            out.push(u8::from(self.exclusive) | u8::from(self.passive) << 1 | u8::from(self.active) << 2 | u8::from(self.write) << 3 | u8::from(self.read) << 4);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 30, 0, 10]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Request<'a>> for Method<'a> {
        #[inline]
        fn from(method: Request<'a>) -> Self {
            Method::AccessRequest(method)
        }
    }

    /// `access.request-ok`, 30 11.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct RequestOk {
        /// Short.
        pub ticket: u16,
    }

    impl RequestOk {
        /// The class id.
        pub const CLASS: u16 = 30;
        /// The method id.
        pub const METHOD: u16 = 11;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "access.request-ok",
            fields: &[
                ("ticket", FieldKind::Short),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            Ok(Self {
                ticket,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 30, 0, 11]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<RequestOk> for Method<'_> {
        #[inline]
        fn from(method: RequestOk) -> Self {
            Method::AccessRequestOk(method)
        }
    }
}

/// Class exchange, id 40.
pub mod exchange {
    use super::Method;
    use crate::amqp091::cursor::{Cursor, Error};
    use crate::amqp091::frame;
    use crate::amqp091::method::{FieldKind, MethodSpec, put_shortstr, put_table};
    use crate::amqp091::table::Table;

    /// `exchange.declare`, 40 10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Declare<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub exchange: &'a str,
        /// ShortStr.
        pub type_: &'a str,
        /// Bit.
        pub passive: bool,
        /// Bit.
        pub durable: bool,
        /// Bit.
        pub auto_delete: bool,
        /// Bit.
        pub internal: bool,
        /// Bit.
        pub nowait: bool,
        /// Table.
        pub arguments: Table<'a>,
    }

    impl<'a> Declare<'a> {
        /// The class id.
        pub const CLASS: u16 = 40;
        /// The method id.
        pub const METHOD: u16 = 10;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "exchange.declare",
            fields: &[
                ("ticket", FieldKind::Short),
                ("exchange", FieldKind::ShortStr),
                ("type", FieldKind::ShortStr),
                ("passive", FieldKind::Bit),
                ("durable", FieldKind::Bit),
                ("auto_delete", FieldKind::Bit),
                ("internal", FieldKind::Bit),
                ("nowait", FieldKind::Bit),
                ("arguments", FieldKind::Table),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let exchange = cursor.shortstr_utf8()?;
            let type_ = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            let arguments = cursor.table()?;
            Ok(Self {
                ticket,
                exchange,
                type_,
                passive: bits_0 & 1 != 0,
                durable: bits_0 & 2 != 0,
                auto_delete: bits_0 & 4 != 0,
                internal: bits_0 & 8 != 0,
                nowait: bits_0 & 16 != 0,
                arguments,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.exchange);
            put_shortstr(out, self.type_);
            out.push(u8::from(self.passive) | u8::from(self.durable) << 1 | u8::from(self.auto_delete) << 2 | u8::from(self.internal) << 3 | u8::from(self.nowait) << 4);
            put_table(out, self.arguments);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 40, 0, 10]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Declare<'a>> for Method<'a> {
        #[inline]
        fn from(method: Declare<'a>) -> Self {
            Method::ExchangeDeclare(method)
        }
    }

    /// `exchange.declare-ok`, 40 11.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct DeclareOk;

    impl DeclareOk {
        /// The class id.
        pub const CLASS: u16 = 40;
        /// The method id.
        pub const METHOD: u16 = 11;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "exchange.declare-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 40, 0, 11]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<DeclareOk> for Method<'_> {
        #[inline]
        fn from(method: DeclareOk) -> Self {
            Method::ExchangeDeclareOk(method)
        }
    }

    /// `exchange.delete`, 40 20.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Delete<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub exchange: &'a str,
        /// Bit.
        pub if_unused: bool,
        /// Bit.
        pub nowait: bool,
    }

    impl<'a> Delete<'a> {
        /// The class id.
        pub const CLASS: u16 = 40;
        /// The method id.
        pub const METHOD: u16 = 20;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "exchange.delete",
            fields: &[
                ("ticket", FieldKind::Short),
                ("exchange", FieldKind::ShortStr),
                ("if_unused", FieldKind::Bit),
                ("nowait", FieldKind::Bit),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let exchange = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                ticket,
                exchange,
                if_unused: bits_0 & 1 != 0,
                nowait: bits_0 & 2 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.exchange);
            out.push(u8::from(self.if_unused) | u8::from(self.nowait) << 1);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 40, 0, 20]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Delete<'a>> for Method<'a> {
        #[inline]
        fn from(method: Delete<'a>) -> Self {
            Method::ExchangeDelete(method)
        }
    }

    /// `exchange.delete-ok`, 40 21.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct DeleteOk;

    impl DeleteOk {
        /// The class id.
        pub const CLASS: u16 = 40;
        /// The method id.
        pub const METHOD: u16 = 21;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "exchange.delete-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 40, 0, 21]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<DeleteOk> for Method<'_> {
        #[inline]
        fn from(method: DeleteOk) -> Self {
            Method::ExchangeDeleteOk(method)
        }
    }

    /// `exchange.bind`, 40 30.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Bind<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub destination: &'a str,
        /// ShortStr.
        pub source: &'a str,
        /// ShortStr.
        pub routing_key: &'a str,
        /// Bit.
        pub nowait: bool,
        /// Table.
        pub arguments: Table<'a>,
    }

    impl<'a> Bind<'a> {
        /// The class id.
        pub const CLASS: u16 = 40;
        /// The method id.
        pub const METHOD: u16 = 30;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "exchange.bind",
            fields: &[
                ("ticket", FieldKind::Short),
                ("destination", FieldKind::ShortStr),
                ("source", FieldKind::ShortStr),
                ("routing_key", FieldKind::ShortStr),
                ("nowait", FieldKind::Bit),
                ("arguments", FieldKind::Table),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let destination = cursor.shortstr_utf8()?;
            let source = cursor.shortstr_utf8()?;
            let routing_key = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            let arguments = cursor.table()?;
            Ok(Self {
                ticket,
                destination,
                source,
                routing_key,
                nowait: bits_0 & 1 != 0,
                arguments,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.destination);
            put_shortstr(out, self.source);
            put_shortstr(out, self.routing_key);
            out.push(u8::from(self.nowait));
            put_table(out, self.arguments);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 40, 0, 30]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Bind<'a>> for Method<'a> {
        #[inline]
        fn from(method: Bind<'a>) -> Self {
            Method::ExchangeBind(method)
        }
    }

    /// `exchange.bind-ok`, 40 31.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct BindOk;

    impl BindOk {
        /// The class id.
        pub const CLASS: u16 = 40;
        /// The method id.
        pub const METHOD: u16 = 31;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "exchange.bind-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 40, 0, 31]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<BindOk> for Method<'_> {
        #[inline]
        fn from(method: BindOk) -> Self {
            Method::ExchangeBindOk(method)
        }
    }

    /// `exchange.unbind`, 40 40.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Unbind<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub destination: &'a str,
        /// ShortStr.
        pub source: &'a str,
        /// ShortStr.
        pub routing_key: &'a str,
        /// Bit.
        pub nowait: bool,
        /// Table.
        pub arguments: Table<'a>,
    }

    impl<'a> Unbind<'a> {
        /// The class id.
        pub const CLASS: u16 = 40;
        /// The method id.
        pub const METHOD: u16 = 40;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "exchange.unbind",
            fields: &[
                ("ticket", FieldKind::Short),
                ("destination", FieldKind::ShortStr),
                ("source", FieldKind::ShortStr),
                ("routing_key", FieldKind::ShortStr),
                ("nowait", FieldKind::Bit),
                ("arguments", FieldKind::Table),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let destination = cursor.shortstr_utf8()?;
            let source = cursor.shortstr_utf8()?;
            let routing_key = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            let arguments = cursor.table()?;
            Ok(Self {
                ticket,
                destination,
                source,
                routing_key,
                nowait: bits_0 & 1 != 0,
                arguments,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.destination);
            put_shortstr(out, self.source);
            put_shortstr(out, self.routing_key);
            out.push(u8::from(self.nowait));
            put_table(out, self.arguments);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 40, 0, 40]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Unbind<'a>> for Method<'a> {
        #[inline]
        fn from(method: Unbind<'a>) -> Self {
            Method::ExchangeUnbind(method)
        }
    }

    /// `exchange.unbind-ok`, 40 51.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct UnbindOk;

    impl UnbindOk {
        /// The class id.
        pub const CLASS: u16 = 40;
        /// The method id.
        pub const METHOD: u16 = 51;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "exchange.unbind-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 40, 0, 51]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<UnbindOk> for Method<'_> {
        #[inline]
        fn from(method: UnbindOk) -> Self {
            Method::ExchangeUnbindOk(method)
        }
    }
}

/// Class queue, id 50.
pub mod queue {
    use super::Method;
    use crate::amqp091::cursor::{Cursor, Error};
    use crate::amqp091::frame;
    use crate::amqp091::method::{FieldKind, MethodSpec, put_shortstr, put_table};
    use crate::amqp091::table::Table;

    /// `queue.declare`, 50 10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Declare<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub queue: &'a str,
        /// Bit.
        pub passive: bool,
        /// Bit.
        pub durable: bool,
        /// Bit.
        pub exclusive: bool,
        /// Bit.
        pub auto_delete: bool,
        /// Bit.
        pub nowait: bool,
        /// Table.
        pub arguments: Table<'a>,
    }

    impl<'a> Declare<'a> {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 10;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.declare",
            fields: &[
                ("ticket", FieldKind::Short),
                ("queue", FieldKind::ShortStr),
                ("passive", FieldKind::Bit),
                ("durable", FieldKind::Bit),
                ("exclusive", FieldKind::Bit),
                ("auto_delete", FieldKind::Bit),
                ("nowait", FieldKind::Bit),
                ("arguments", FieldKind::Table),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let queue = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            let arguments = cursor.table()?;
            Ok(Self {
                ticket,
                queue,
                passive: bits_0 & 1 != 0,
                durable: bits_0 & 2 != 0,
                exclusive: bits_0 & 4 != 0,
                auto_delete: bits_0 & 8 != 0,
                nowait: bits_0 & 16 != 0,
                arguments,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.queue);
            out.push(u8::from(self.passive) | u8::from(self.durable) << 1 | u8::from(self.exclusive) << 2 | u8::from(self.auto_delete) << 3 | u8::from(self.nowait) << 4);
            put_table(out, self.arguments);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 10]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Declare<'a>> for Method<'a> {
        #[inline]
        fn from(method: Declare<'a>) -> Self {
            Method::QueueDeclare(method)
        }
    }

    /// `queue.declare-ok`, 50 11.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct DeclareOk<'a> {
        /// ShortStr.
        pub queue: &'a str,
        /// Long.
        pub message_count: u32,
        /// Long.
        pub consumer_count: u32,
    }

    impl<'a> DeclareOk<'a> {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 11;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.declare-ok",
            fields: &[
                ("queue", FieldKind::ShortStr),
                ("message_count", FieldKind::Long),
                ("consumer_count", FieldKind::Long),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let queue = cursor.shortstr_utf8()?;
            let message_count = cursor.u32()?;
            let consumer_count = cursor.u32()?;
            Ok(Self {
                queue,
                message_count,
                consumer_count,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.queue);
            out.extend_from_slice(&self.message_count.to_be_bytes());
            out.extend_from_slice(&self.consumer_count.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 11]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<DeclareOk<'a>> for Method<'a> {
        #[inline]
        fn from(method: DeclareOk<'a>) -> Self {
            Method::QueueDeclareOk(method)
        }
    }

    /// `queue.bind`, 50 20.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Bind<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub queue: &'a str,
        /// ShortStr.
        pub exchange: &'a str,
        /// ShortStr.
        pub routing_key: &'a str,
        /// Bit.
        pub nowait: bool,
        /// Table.
        pub arguments: Table<'a>,
    }

    impl<'a> Bind<'a> {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 20;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.bind",
            fields: &[
                ("ticket", FieldKind::Short),
                ("queue", FieldKind::ShortStr),
                ("exchange", FieldKind::ShortStr),
                ("routing_key", FieldKind::ShortStr),
                ("nowait", FieldKind::Bit),
                ("arguments", FieldKind::Table),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let queue = cursor.shortstr_utf8()?;
            let exchange = cursor.shortstr_utf8()?;
            let routing_key = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            let arguments = cursor.table()?;
            Ok(Self {
                ticket,
                queue,
                exchange,
                routing_key,
                nowait: bits_0 & 1 != 0,
                arguments,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.queue);
            put_shortstr(out, self.exchange);
            put_shortstr(out, self.routing_key);
            out.push(u8::from(self.nowait));
            put_table(out, self.arguments);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 20]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Bind<'a>> for Method<'a> {
        #[inline]
        fn from(method: Bind<'a>) -> Self {
            Method::QueueBind(method)
        }
    }

    /// `queue.bind-ok`, 50 21.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct BindOk;

    impl BindOk {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 21;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.bind-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 21]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<BindOk> for Method<'_> {
        #[inline]
        fn from(method: BindOk) -> Self {
            Method::QueueBindOk(method)
        }
    }

    /// `queue.purge`, 50 30.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Purge<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub queue: &'a str,
        /// Bit.
        pub nowait: bool,
    }

    impl<'a> Purge<'a> {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 30;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.purge",
            fields: &[
                ("ticket", FieldKind::Short),
                ("queue", FieldKind::ShortStr),
                ("nowait", FieldKind::Bit),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let queue = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                ticket,
                queue,
                nowait: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.queue);
            out.push(u8::from(self.nowait));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 30]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Purge<'a>> for Method<'a> {
        #[inline]
        fn from(method: Purge<'a>) -> Self {
            Method::QueuePurge(method)
        }
    }

    /// `queue.purge-ok`, 50 31.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct PurgeOk {
        /// Long.
        pub message_count: u32,
    }

    impl PurgeOk {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 31;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.purge-ok",
            fields: &[
                ("message_count", FieldKind::Long),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let message_count = cursor.u32()?;
            Ok(Self {
                message_count,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.message_count.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 31]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<PurgeOk> for Method<'_> {
        #[inline]
        fn from(method: PurgeOk) -> Self {
            Method::QueuePurgeOk(method)
        }
    }

    /// `queue.delete`, 50 40.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Delete<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub queue: &'a str,
        /// Bit.
        pub if_unused: bool,
        /// Bit.
        pub if_empty: bool,
        /// Bit.
        pub nowait: bool,
    }

    impl<'a> Delete<'a> {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 40;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.delete",
            fields: &[
                ("ticket", FieldKind::Short),
                ("queue", FieldKind::ShortStr),
                ("if_unused", FieldKind::Bit),
                ("if_empty", FieldKind::Bit),
                ("nowait", FieldKind::Bit),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let queue = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                ticket,
                queue,
                if_unused: bits_0 & 1 != 0,
                if_empty: bits_0 & 2 != 0,
                nowait: bits_0 & 4 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.queue);
            out.push(u8::from(self.if_unused) | u8::from(self.if_empty) << 1 | u8::from(self.nowait) << 2);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 40]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Delete<'a>> for Method<'a> {
        #[inline]
        fn from(method: Delete<'a>) -> Self {
            Method::QueueDelete(method)
        }
    }

    /// `queue.delete-ok`, 50 41.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct DeleteOk {
        /// Long.
        pub message_count: u32,
    }

    impl DeleteOk {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 41;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.delete-ok",
            fields: &[
                ("message_count", FieldKind::Long),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let message_count = cursor.u32()?;
            Ok(Self {
                message_count,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.message_count.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 41]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<DeleteOk> for Method<'_> {
        #[inline]
        fn from(method: DeleteOk) -> Self {
            Method::QueueDeleteOk(method)
        }
    }

    /// `queue.unbind`, 50 50.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Unbind<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub queue: &'a str,
        /// ShortStr.
        pub exchange: &'a str,
        /// ShortStr.
        pub routing_key: &'a str,
        /// Table.
        pub arguments: Table<'a>,
    }

    impl<'a> Unbind<'a> {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 50;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.unbind",
            fields: &[
                ("ticket", FieldKind::Short),
                ("queue", FieldKind::ShortStr),
                ("exchange", FieldKind::ShortStr),
                ("routing_key", FieldKind::ShortStr),
                ("arguments", FieldKind::Table),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let queue = cursor.shortstr_utf8()?;
            let exchange = cursor.shortstr_utf8()?;
            let routing_key = cursor.shortstr_utf8()?;
            let arguments = cursor.table()?;
            Ok(Self {
                ticket,
                queue,
                exchange,
                routing_key,
                arguments,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.queue);
            put_shortstr(out, self.exchange);
            put_shortstr(out, self.routing_key);
            put_table(out, self.arguments);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 50]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Unbind<'a>> for Method<'a> {
        #[inline]
        fn from(method: Unbind<'a>) -> Self {
            Method::QueueUnbind(method)
        }
    }

    /// `queue.unbind-ok`, 50 51.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct UnbindOk;

    impl UnbindOk {
        /// The class id.
        pub const CLASS: u16 = 50;
        /// The method id.
        pub const METHOD: u16 = 51;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "queue.unbind-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 50, 0, 51]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<UnbindOk> for Method<'_> {
        #[inline]
        fn from(method: UnbindOk) -> Self {
            Method::QueueUnbindOk(method)
        }
    }
}

/// Class basic, id 60.
pub mod basic {
    use super::Method;
    use crate::amqp091::cursor::{Cursor, Error};
    use crate::amqp091::frame;
    use crate::amqp091::method::{FieldKind, MethodSpec, put_shortstr, put_table};
    use crate::amqp091::table::Table;

    /// `basic.qos`, 60 10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Qos {
        /// Long.
        pub prefetch_size: u32,
        /// Short.
        pub prefetch_count: u16,
        /// Bit.
        pub global: bool,
    }

    impl Qos {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 10;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.qos",
            fields: &[
                ("prefetch_size", FieldKind::Long),
                ("prefetch_count", FieldKind::Short),
                ("global", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let prefetch_size = cursor.u32()?;
            let prefetch_count = cursor.u16()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                prefetch_size,
                prefetch_count,
                global: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.prefetch_size.to_be_bytes());
            out.extend_from_slice(&self.prefetch_count.to_be_bytes());
            out.push(u8::from(self.global));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 10]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Qos> for Method<'_> {
        #[inline]
        fn from(method: Qos) -> Self {
            Method::BasicQos(method)
        }
    }

    /// `basic.qos-ok`, 60 11.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct QosOk;

    impl QosOk {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 11;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.qos-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 11]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<QosOk> for Method<'_> {
        #[inline]
        fn from(method: QosOk) -> Self {
            Method::BasicQosOk(method)
        }
    }

    /// `basic.consume`, 60 20.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Consume<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub queue: &'a str,
        /// ShortStr.
        pub consumer_tag: &'a str,
        /// Bit.
        pub no_local: bool,
        /// Bit.
        pub no_ack: bool,
        /// Bit.
        pub exclusive: bool,
        /// Bit.
        pub nowait: bool,
        /// Table.
        pub arguments: Table<'a>,
    }

    impl<'a> Consume<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 20;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.consume",
            fields: &[
                ("ticket", FieldKind::Short),
                ("queue", FieldKind::ShortStr),
                ("consumer_tag", FieldKind::ShortStr),
                ("no_local", FieldKind::Bit),
                ("no_ack", FieldKind::Bit),
                ("exclusive", FieldKind::Bit),
                ("nowait", FieldKind::Bit),
                ("arguments", FieldKind::Table),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let queue = cursor.shortstr_utf8()?;
            let consumer_tag = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            let arguments = cursor.table()?;
            Ok(Self {
                ticket,
                queue,
                consumer_tag,
                no_local: bits_0 & 1 != 0,
                no_ack: bits_0 & 2 != 0,
                exclusive: bits_0 & 4 != 0,
                nowait: bits_0 & 8 != 0,
                arguments,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.queue);
            put_shortstr(out, self.consumer_tag);
            out.push(u8::from(self.no_local) | u8::from(self.no_ack) << 1 | u8::from(self.exclusive) << 2 | u8::from(self.nowait) << 3);
            put_table(out, self.arguments);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 20]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Consume<'a>> for Method<'a> {
        #[inline]
        fn from(method: Consume<'a>) -> Self {
            Method::BasicConsume(method)
        }
    }

    /// `basic.consume-ok`, 60 21.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct ConsumeOk<'a> {
        /// ShortStr.
        pub consumer_tag: &'a str,
    }

    impl<'a> ConsumeOk<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 21;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.consume-ok",
            fields: &[
                ("consumer_tag", FieldKind::ShortStr),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let consumer_tag = cursor.shortstr_utf8()?;
            Ok(Self {
                consumer_tag,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.consumer_tag);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 21]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<ConsumeOk<'a>> for Method<'a> {
        #[inline]
        fn from(method: ConsumeOk<'a>) -> Self {
            Method::BasicConsumeOk(method)
        }
    }

    /// `basic.cancel`, 60 30.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Cancel<'a> {
        /// ShortStr.
        pub consumer_tag: &'a str,
        /// Bit.
        pub nowait: bool,
    }

    impl<'a> Cancel<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 30;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.cancel",
            fields: &[
                ("consumer_tag", FieldKind::ShortStr),
                ("nowait", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let consumer_tag = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                consumer_tag,
                nowait: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.consumer_tag);
            out.push(u8::from(self.nowait));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 30]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Cancel<'a>> for Method<'a> {
        #[inline]
        fn from(method: Cancel<'a>) -> Self {
            Method::BasicCancel(method)
        }
    }

    /// `basic.cancel-ok`, 60 31.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct CancelOk<'a> {
        /// ShortStr.
        pub consumer_tag: &'a str,
    }

    impl<'a> CancelOk<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 31;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.cancel-ok",
            fields: &[
                ("consumer_tag", FieldKind::ShortStr),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let consumer_tag = cursor.shortstr_utf8()?;
            Ok(Self {
                consumer_tag,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.consumer_tag);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 31]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<CancelOk<'a>> for Method<'a> {
        #[inline]
        fn from(method: CancelOk<'a>) -> Self {
            Method::BasicCancelOk(method)
        }
    }

    /// `basic.publish`, 60 40.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Publish<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub exchange: &'a str,
        /// ShortStr.
        pub routing_key: &'a str,
        /// Bit.
        pub mandatory: bool,
        /// Bit.
        pub immediate: bool,
    }

    impl<'a> Publish<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 40;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.publish",
            fields: &[
                ("ticket", FieldKind::Short),
                ("exchange", FieldKind::ShortStr),
                ("routing_key", FieldKind::ShortStr),
                ("mandatory", FieldKind::Bit),
                ("immediate", FieldKind::Bit),
            ],
            reserved: &["ticket"],
            content: true,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let exchange = cursor.shortstr_utf8()?;
            let routing_key = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                ticket,
                exchange,
                routing_key,
                mandatory: bits_0 & 1 != 0,
                immediate: bits_0 & 2 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.exchange);
            put_shortstr(out, self.routing_key);
            out.push(u8::from(self.mandatory) | u8::from(self.immediate) << 1);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 40]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Publish<'a>> for Method<'a> {
        #[inline]
        fn from(method: Publish<'a>) -> Self {
            Method::BasicPublish(method)
        }
    }

    /// `basic.return`, 60 50.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Return<'a> {
        /// Short.
        pub code: u16,
        /// ShortStr.
        pub text: &'a str,
        /// ShortStr.
        pub exchange: &'a str,
        /// ShortStr.
        pub routing_key: &'a str,
    }

    impl<'a> Return<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 50;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.return",
            fields: &[
                ("code", FieldKind::Short),
                ("text", FieldKind::ShortStr),
                ("exchange", FieldKind::ShortStr),
                ("routing_key", FieldKind::ShortStr),
            ],
            reserved: &[],
            content: true,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let code = cursor.u16()?;
            let text = cursor.shortstr_utf8()?;
            let exchange = cursor.shortstr_utf8()?;
            let routing_key = cursor.shortstr_utf8()?;
            Ok(Self {
                code,
                text,
                exchange,
                routing_key,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.code.to_be_bytes());
            put_shortstr(out, self.text);
            put_shortstr(out, self.exchange);
            put_shortstr(out, self.routing_key);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 50]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Return<'a>> for Method<'a> {
        #[inline]
        fn from(method: Return<'a>) -> Self {
            Method::BasicReturn(method)
        }
    }

    /// `basic.deliver`, 60 60.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Deliver<'a> {
        /// ShortStr.
        pub consumer_tag: &'a str,
        /// LongLong.
        pub delivery_tag: u64,
        /// Bit.
        pub redelivered: bool,
        /// ShortStr.
        pub exchange: &'a str,
        /// ShortStr.
        pub routing_key: &'a str,
    }

    impl<'a> Deliver<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 60;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.deliver",
            fields: &[
                ("consumer_tag", FieldKind::ShortStr),
                ("delivery_tag", FieldKind::LongLong),
                ("redelivered", FieldKind::Bit),
                ("exchange", FieldKind::ShortStr),
                ("routing_key", FieldKind::ShortStr),
            ],
            reserved: &[],
            content: true,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let consumer_tag = cursor.shortstr_utf8()?;
            let delivery_tag = cursor.u64()?;
            let bits_0 = cursor.u8()?;
            let exchange = cursor.shortstr_utf8()?;
            let routing_key = cursor.shortstr_utf8()?;
            Ok(Self {
                consumer_tag,
                delivery_tag,
                redelivered: bits_0 & 1 != 0,
                exchange,
                routing_key,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.consumer_tag);
            out.extend_from_slice(&self.delivery_tag.to_be_bytes());
            out.push(u8::from(self.redelivered));
            put_shortstr(out, self.exchange);
            put_shortstr(out, self.routing_key);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 60]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Deliver<'a>> for Method<'a> {
        #[inline]
        fn from(method: Deliver<'a>) -> Self {
            Method::BasicDeliver(method)
        }
    }

    /// `basic.get`, 60 70.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Get<'a> {
        /// Short, reserved.
        pub ticket: u16,
        /// ShortStr.
        pub queue: &'a str,
        /// Bit.
        pub no_ack: bool,
    }

    impl<'a> Get<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 70;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.get",
            fields: &[
                ("ticket", FieldKind::Short),
                ("queue", FieldKind::ShortStr),
                ("no_ack", FieldKind::Bit),
            ],
            reserved: &["ticket"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let ticket = cursor.u16()?;
            let queue = cursor.shortstr_utf8()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                ticket,
                queue,
                no_ack: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.ticket.to_be_bytes());
            put_shortstr(out, self.queue);
            out.push(u8::from(self.no_ack));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 70]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<Get<'a>> for Method<'a> {
        #[inline]
        fn from(method: Get<'a>) -> Self {
            Method::BasicGet(method)
        }
    }

    /// `basic.get-ok`, 60 71.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct GetOk<'a> {
        /// LongLong.
        pub delivery_tag: u64,
        /// Bit.
        pub redelivered: bool,
        /// ShortStr.
        pub exchange: &'a str,
        /// ShortStr.
        pub routing_key: &'a str,
        /// Long.
        pub message_count: u32,
    }

    impl<'a> GetOk<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 71;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.get-ok",
            fields: &[
                ("delivery_tag", FieldKind::LongLong),
                ("redelivered", FieldKind::Bit),
                ("exchange", FieldKind::ShortStr),
                ("routing_key", FieldKind::ShortStr),
                ("message_count", FieldKind::Long),
            ],
            reserved: &[],
            content: true,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let delivery_tag = cursor.u64()?;
            let bits_0 = cursor.u8()?;
            let exchange = cursor.shortstr_utf8()?;
            let routing_key = cursor.shortstr_utf8()?;
            let message_count = cursor.u32()?;
            Ok(Self {
                delivery_tag,
                redelivered: bits_0 & 1 != 0,
                exchange,
                routing_key,
                message_count,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.delivery_tag.to_be_bytes());
            out.push(u8::from(self.redelivered));
            put_shortstr(out, self.exchange);
            put_shortstr(out, self.routing_key);
            out.extend_from_slice(&self.message_count.to_be_bytes());
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 71]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<GetOk<'a>> for Method<'a> {
        #[inline]
        fn from(method: GetOk<'a>) -> Self {
            Method::BasicGetOk(method)
        }
    }

    /// `basic.get-empty`, 60 72.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct GetEmpty<'a> {
        /// ShortStr, reserved.
        pub cluster_id: &'a str,
    }

    impl<'a> GetEmpty<'a> {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 72;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.get-empty",
            fields: &[
                ("cluster_id", FieldKind::ShortStr),
            ],
            reserved: &["cluster_id"],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
            let cluster_id = cursor.shortstr_utf8()?;
            Ok(Self {
                cluster_id,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            put_shortstr(out, self.cluster_id);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 72]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl<'a> From<GetEmpty<'a>> for Method<'a> {
        #[inline]
        fn from(method: GetEmpty<'a>) -> Self {
            Method::BasicGetEmpty(method)
        }
    }

    /// `basic.ack`, 60 80.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Ack {
        /// LongLong.
        pub delivery_tag: u64,
        /// Bit.
        pub multiple: bool,
    }

    impl Ack {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 80;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.ack",
            fields: &[
                ("delivery_tag", FieldKind::LongLong),
                ("multiple", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let delivery_tag = cursor.u64()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                delivery_tag,
                multiple: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.delivery_tag.to_be_bytes());
            out.push(u8::from(self.multiple));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 80]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Ack> for Method<'_> {
        #[inline]
        fn from(method: Ack) -> Self {
            Method::BasicAck(method)
        }
    }

    /// `basic.reject`, 60 90.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Reject {
        /// LongLong.
        pub delivery_tag: u64,
        /// Bit.
        pub requeue: bool,
    }

    impl Reject {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 90;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.reject",
            fields: &[
                ("delivery_tag", FieldKind::LongLong),
                ("requeue", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let delivery_tag = cursor.u64()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                delivery_tag,
                requeue: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.delivery_tag.to_be_bytes());
            out.push(u8::from(self.requeue));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 90]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Reject> for Method<'_> {
        #[inline]
        fn from(method: Reject) -> Self {
            Method::BasicReject(method)
        }
    }

    /// `basic.recover-async`, 60 100.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct RecoverAsync {
        /// Bit.
        pub requeue: bool,
    }

    impl RecoverAsync {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 100;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.recover-async",
            fields: &[
                ("requeue", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let bits_0 = cursor.u8()?;
            Ok(Self {
                requeue: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.push(u8::from(self.requeue));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 100]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<RecoverAsync> for Method<'_> {
        #[inline]
        fn from(method: RecoverAsync) -> Self {
            Method::BasicRecoverAsync(method)
        }
    }

    /// `basic.recover`, 60 110.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Recover {
        /// Bit.
        pub requeue: bool,
    }

    impl Recover {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 110;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.recover",
            fields: &[
                ("requeue", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let bits_0 = cursor.u8()?;
            Ok(Self {
                requeue: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.push(u8::from(self.requeue));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 110]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Recover> for Method<'_> {
        #[inline]
        fn from(method: Recover) -> Self {
            Method::BasicRecover(method)
        }
    }

    /// `basic.recover-ok`, 60 111.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct RecoverOk;

    impl RecoverOk {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 111;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.recover-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 111]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<RecoverOk> for Method<'_> {
        #[inline]
        fn from(method: RecoverOk) -> Self {
            Method::BasicRecoverOk(method)
        }
    }

    /// `basic.nack`, 60 120.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Nack {
        /// LongLong.
        pub delivery_tag: u64,
        /// Bit.
        pub multiple: bool,
        /// Bit.
        pub requeue: bool,
    }

    impl Nack {
        /// The class id.
        pub const CLASS: u16 = 60;
        /// The method id.
        pub const METHOD: u16 = 120;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "basic.nack",
            fields: &[
                ("delivery_tag", FieldKind::LongLong),
                ("multiple", FieldKind::Bit),
                ("requeue", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let delivery_tag = cursor.u64()?;
            let bits_0 = cursor.u8()?;
            Ok(Self {
                delivery_tag,
                multiple: bits_0 & 1 != 0,
                requeue: bits_0 & 2 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.delivery_tag.to_be_bytes());
            out.push(u8::from(self.multiple) | u8::from(self.requeue) << 1);
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 60, 0, 120]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Nack> for Method<'_> {
        #[inline]
        fn from(method: Nack) -> Self {
            Method::BasicNack(method)
        }
    }
}

/// Class confirm, id 85.
pub mod confirm {
    use super::Method;
    use crate::amqp091::cursor::{Cursor, Error};
    use crate::amqp091::frame;
    use crate::amqp091::method::{FieldKind, MethodSpec};

    /// `confirm.select`, 85 10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Select {
        /// Bit.
        pub nowait: bool,
    }

    impl Select {
        /// The class id.
        pub const CLASS: u16 = 85;
        /// The method id.
        pub const METHOD: u16 = 10;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "confirm.select",
            fields: &[
                ("nowait", FieldKind::Bit),
            ],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
            let bits_0 = cursor.u8()?;
            Ok(Self {
                nowait: bits_0 & 1 != 0,
            })
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, out: &mut Vec<u8>) {
            out.push(u8::from(self.nowait));
        }

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 85, 0, 10]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Select> for Method<'_> {
        #[inline]
        fn from(method: Select) -> Self {
            Method::ConfirmSelect(method)
        }
    }

    /// `confirm.select-ok`, 85 11.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct SelectOk;

    impl SelectOk {
        /// The class id.
        pub const CLASS: u16 = 85;
        /// The method id.
        pub const METHOD: u16 = 11;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "confirm.select-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 85, 0, 11]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<SelectOk> for Method<'_> {
        #[inline]
        fn from(method: SelectOk) -> Self {
            Method::ConfirmSelectOk(method)
        }
    }
}

/// Class tx, id 90.
pub mod tx {
    use super::Method;
    use crate::amqp091::cursor::{Cursor, Error};
    use crate::amqp091::frame;
    use crate::amqp091::method::{MethodSpec};

    /// `tx.select`, 90 10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Select;

    impl Select {
        /// The class id.
        pub const CLASS: u16 = 90;
        /// The method id.
        pub const METHOD: u16 = 10;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "tx.select",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 90, 0, 10]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Select> for Method<'_> {
        #[inline]
        fn from(method: Select) -> Self {
            Method::TxSelect(method)
        }
    }

    /// `tx.select-ok`, 90 11.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct SelectOk;

    impl SelectOk {
        /// The class id.
        pub const CLASS: u16 = 90;
        /// The method id.
        pub const METHOD: u16 = 11;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "tx.select-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 90, 0, 11]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<SelectOk> for Method<'_> {
        #[inline]
        fn from(method: SelectOk) -> Self {
            Method::TxSelectOk(method)
        }
    }

    /// `tx.commit`, 90 20.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Commit;

    impl Commit {
        /// The class id.
        pub const CLASS: u16 = 90;
        /// The method id.
        pub const METHOD: u16 = 20;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "tx.commit",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 90, 0, 20]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Commit> for Method<'_> {
        #[inline]
        fn from(method: Commit) -> Self {
            Method::TxCommit(method)
        }
    }

    /// `tx.commit-ok`, 90 21.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct CommitOk;

    impl CommitOk {
        /// The class id.
        pub const CLASS: u16 = 90;
        /// The method id.
        pub const METHOD: u16 = 21;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "tx.commit-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 90, 0, 21]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<CommitOk> for Method<'_> {
        #[inline]
        fn from(method: CommitOk) -> Self {
            Method::TxCommitOk(method)
        }
    }

    /// `tx.rollback`, 90 30.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Rollback;

    impl Rollback {
        /// The class id.
        pub const CLASS: u16 = 90;
        /// The method id.
        pub const METHOD: u16 = 30;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "tx.rollback",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 90, 0, 30]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<Rollback> for Method<'_> {
        #[inline]
        fn from(method: Rollback) -> Self {
            Method::TxRollback(method)
        }
    }

    /// `tx.rollback-ok`, 90 31.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct RollbackOk;

    impl RollbackOk {
        /// The class id.
        pub const CLASS: u16 = 90;
        /// The method id.
        pub const METHOD: u16 = 31;
        /// What is known of it.
        pub const SPEC: MethodSpec = MethodSpec {
            class: Self::CLASS,
            method: Self::METHOD,
            name: "tx.rollback-ok",
            fields: &[],
            reserved: &[],
            content: false,
        };

        /// Reads the arguments, and leaves what follows them.
        ///
        /// # Errors
        /// What the cursor says of the first argument that is malformed.
        #[inline]
        pub fn read(_: &mut Cursor<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        /// Appends the arguments alone.
        #[inline]
        pub fn write(&self, _: &mut Vec<u8>) {}

        /// Appends the whole frame. A short string past 255 octets is cut.
        #[inline]
        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
            out.extend_from_slice(&[0, 90, 0, 31]);
            self.write(out);
            frame::end(out, mark);
        }
    }

    impl From<RollbackOk> for Method<'_> {
        #[inline]
        fn from(method: RollbackOk) -> Self {
            Method::TxRollbackOk(method)
        }
    }
}
