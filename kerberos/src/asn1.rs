//! The messages of Kerberos as types (RFC 4120 5 and appendix A, RFC 3244, MS-KILE 2.2): borrowed from the bytes that
//! were received, DER alone. Names are UTF-8 in a GeneralString, as every KDC of Active Directory sends them.
//! Knows no meaning: what a message must say is checked where it is used.

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, OctetStringRef};
use der::{
    Decode, DecodeValue, Encode, EncodeValue, FixedTag, Header, Length, Reader, Sequence, SliceReader, Tag,
    TagNumber, Writer,
};
use std::time::Duration;
use zeroize::Zeroizing;

/// The version of the protocol, in every message.
pub(crate) const VERSION: i32 = 5;

/// A KerberosString.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl FixedTag for Text<'_> {
    const TAG: Tag = Tag::GeneralString;
}

impl<'a> DecodeValue<'a> for Text<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        let bytes = reader.read_slice(header.length())?;
        str::from_utf8(bytes).map(Self).map_err(|_| Self::TAG.value_error().into())
    }
}

impl EncodeValue for Text<'_> {
    fn value_len(&self) -> der::Result<Length> {
        Length::try_from(self.0.len())
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.0.as_bytes())
    }
}

/// The content of a message that is `[APPLICATION number] EXPLICIT`. None where the bytes are something else, or more.
pub(crate) fn decode<'a, T: Decode<'a, Error = der::Error>>(number: u32, bytes: &'a [u8]) -> Option<T> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    if header.tag() != application(number) {
        return None;
    }
    let content = reader.read_slice(header.length()).ok()?;
    reader.finish().ok()?;
    T::from_der(content).ok()
}

/// A message that is `[APPLICATION number] EXPLICIT` with this content.
///
/// # Panics
/// If the content is over 256 MiB, which no caller has.
pub(crate) fn encode(number: u32, content: &impl Encode) -> Vec<u8> {
    // It may hold a key.
    let content = Zeroizing::new(plain(content));
    let length = Length::try_from(content.len()).expect("messages are small");
    let mut bytes = Vec::with_capacity(content.len() + 8);
    Header::new(application(number), length).encode_to_vec(&mut bytes).expect("a vector takes it");
    bytes.extend(&*content);
    bytes
}

/// The bytes of a type that stands in no application tag.
///
/// # Panics
/// As [`encode`].
pub(crate) fn plain(content: &impl Encode) -> Vec<u8> {
    content.to_der().expect("messages are small")
}

/// The field `msg-type` of a message: the number of its tag.
pub(crate) fn message_type(application: u32) -> i32 {
    application.cast_signed()
}

fn application(number: u32) -> Tag {
    Tag::Application { constructed: true, number: TagNumber(number) }
}

/// A time without its microseconds.
///
/// # Panics
/// If it is past the year 9999.
pub(crate) fn time(since_1970: Duration) -> GeneralizedTime {
    GeneralizedTime::from_unix_duration(Duration::from_secs(since_1970.as_secs()))
        .expect("a time of this age")
}

/// PrincipalName
#[derive(Debug, Clone, PartialEq, Eq, Sequence)]
pub(crate) struct PrincipalName<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) name_type: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) name_string: Vec<Text<'a>>,
}

/// EncryptedData
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct EncryptedData<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) etype: i32,
    /// Wider than the RFC says: a read-only DC's numbers have the highest bit, and some write them as negative.
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) kvno: Option<i64>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) cipher: &'a OctetStringRef,
}

/// EncryptionKey
#[derive(Clone, Copy, Sequence)]
pub(crate) struct EncryptionKey<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) keytype: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) keyvalue: &'a OctetStringRef,
}

/// Checksum
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct Checksum<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) cksumtype: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) checksum: &'a OctetStringRef,
}

/// PA-DATA
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct PaData<'a> {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) padata_type: i32,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) padata_value: &'a OctetStringRef,
}

/// HostAddress
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct HostAddress<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) addr_type: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) address: &'a OctetStringRef,
}

/// ETYPE-INFO2-ENTRY
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct EtypeInfo2Entry<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) etype: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) salt: Option<Text<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) s2kparams: Option<&'a OctetStringRef>,
}

/// PA-ENC-TS-ENC
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct PaEncTsEnc {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) patimestamp: GeneralizedTime,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) pausec: Option<u32>,
}

/// KERB-PA-PAC-REQUEST (MS-KILE 2.2.3)
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct PaPacRequest {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) include_pac: bool,
}

/// KERB-ERROR-DATA (MS-KILE 2.2.1)
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct KerbErrorData<'a> {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) data_type: i32,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) data_value: Option<&'a OctetStringRef>,
}

/// KDC-REQ-BODY
#[derive(Debug, Clone, Sequence)]
pub(crate) struct KdcReqBody<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) kdc_options: BitStringRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) cname: Option<PrincipalName<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) realm: Text<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) sname: Option<PrincipalName<'a>>,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT")]
    pub(crate) till: GeneralizedTime,
    #[asn1(context_specific = "7", tag_mode = "EXPLICIT")]
    pub(crate) nonce: u32,
    #[asn1(context_specific = "8", tag_mode = "EXPLICIT")]
    pub(crate) etype: Vec<i32>,
    #[asn1(context_specific = "9", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) addresses: Option<Vec<HostAddress<'a>>>,
}

/// KDC-REQ: AS-REQ is APPLICATION 10, TGS-REQ 12.
#[derive(Debug, Clone, Sequence)]
pub(crate) struct KdcReq<'a> {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) pvno: i32,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) msg_type: i32,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) padata: Option<Vec<PaData<'a>>>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT")]
    pub(crate) req_body: KdcReqBody<'a>,
}

/// KDC-REP: AS-REP is APPLICATION 11, TGS-REP 13.
#[derive(Debug, Clone, Sequence)]
pub(crate) struct KdcRep<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) pvno: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) msg_type: i32,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) padata: Option<Vec<PaData<'a>>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    pub(crate) crealm: Text<'a>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT")]
    pub(crate) cname: PrincipalName<'a>,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT")]
    pub(crate) ticket: AnyRef<'a>,
    #[asn1(context_specific = "6", tag_mode = "EXPLICIT")]
    pub(crate) enc_part: EncryptedData<'a>,
}

/// One of LastReq.
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct LastReqEntry {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) lr_type: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) lr_value: GeneralizedTime,
}

/// EncKDCRepPart: EncASRepPart is APPLICATION 25, EncTGSRepPart 26; a KDC may write the second in an AS-REP too.
#[derive(Clone, Sequence)]
pub(crate) struct EncKdcRepPart<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) key: EncryptionKey<'a>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) last_req: Vec<LastReqEntry>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) nonce: i64,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) key_expiration: Option<GeneralizedTime>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT")]
    pub(crate) flags: BitStringRef<'a>,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT")]
    pub(crate) authtime: GeneralizedTime,
    #[asn1(context_specific = "6", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) starttime: Option<GeneralizedTime>,
    #[asn1(context_specific = "7", tag_mode = "EXPLICIT")]
    pub(crate) endtime: GeneralizedTime,
    #[asn1(context_specific = "8", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) renew_till: Option<GeneralizedTime>,
    #[asn1(context_specific = "9", tag_mode = "EXPLICIT")]
    pub(crate) srealm: Text<'a>,
    #[asn1(context_specific = "10", tag_mode = "EXPLICIT")]
    pub(crate) sname: PrincipalName<'a>,
    #[asn1(context_specific = "11", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) caddr: Option<Vec<HostAddress<'a>>>,
    #[asn1(context_specific = "12", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) encrypted_pa_data: Option<Vec<PaData<'a>>>,
}

/// KRB-ERROR: APPLICATION 30.
#[derive(Debug, Clone, Sequence)]
pub(crate) struct KrbError<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) pvno: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) msg_type: i32,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) ctime: Option<GeneralizedTime>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) cusec: Option<i32>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT")]
    pub(crate) stime: GeneralizedTime,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT")]
    pub(crate) susec: i32,
    #[asn1(context_specific = "6", tag_mode = "EXPLICIT")]
    pub(crate) error_code: i32,
    #[asn1(context_specific = "7", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) crealm: Option<AnyRef<'a>>,
    #[asn1(context_specific = "8", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) cname: Option<AnyRef<'a>>,
    #[asn1(context_specific = "9", tag_mode = "EXPLICIT")]
    pub(crate) realm: AnyRef<'a>,
    #[asn1(context_specific = "10", tag_mode = "EXPLICIT")]
    pub(crate) sname: AnyRef<'a>,
    #[asn1(context_specific = "11", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) e_text: Option<AnyRef<'a>>,
    #[asn1(context_specific = "12", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) e_data: Option<&'a OctetStringRef>,
}

/// AP-REQ: APPLICATION 14.
#[derive(Debug, Clone, Sequence)]
pub(crate) struct ApReq<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) pvno: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) msg_type: i32,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) ap_options: BitStringRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    pub(crate) ticket: AnyRef<'a>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT")]
    pub(crate) authenticator: EncryptedData<'a>,
}

/// Authenticator: APPLICATION 2.
#[derive(Clone, Sequence)]
pub(crate) struct Authenticator<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) authenticator_vno: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) crealm: Text<'a>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) cname: PrincipalName<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) cksum: Option<Checksum<'a>>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT")]
    pub(crate) cusec: u32,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT")]
    pub(crate) ctime: GeneralizedTime,
    #[asn1(context_specific = "6", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) subkey: Option<EncryptionKey<'a>>,
    #[asn1(context_specific = "7", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) seq_number: Option<u32>,
}

/// AP-REP: APPLICATION 15.
#[derive(Debug, Clone, Sequence)]
pub(crate) struct ApRep<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) pvno: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) msg_type: i32,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) enc_part: EncryptedData<'a>,
}

/// EncAPRepPart: APPLICATION 27.
#[derive(Clone, Sequence)]
pub(crate) struct EncApRepPart<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) ctime: GeneralizedTime,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) cusec: u32,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) subkey: Option<EncryptionKey<'a>>,
    /// Wider than the RFC says: some write the upper half of the numbers as negative.
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) seq_number: Option<i64>,
}

/// KRB-PRIV: APPLICATION 21.
#[derive(Debug, Clone, Sequence)]
pub(crate) struct KrbPriv<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) pvno: i32,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    pub(crate) msg_type: i32,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    pub(crate) enc_part: EncryptedData<'a>,
}

/// EncKrbPrivPart: APPLICATION 28.
#[derive(Clone, Sequence)]
pub(crate) struct EncKrbPrivPart<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) user_data: &'a OctetStringRef,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) timestamp: Option<GeneralizedTime>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) usec: Option<u32>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) seq_number: Option<i64>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT")]
    pub(crate) s_address: HostAddress<'a>,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) r_address: Option<HostAddress<'a>>,
}
