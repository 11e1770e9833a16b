//! Salesforce record ids: 15 case-sensitive characters and a checksum of 3.
//!
//! The checksum lets software that ignores case tell two ids apart: each of its characters holds
//! which of five characters are upper case.
//! Source: Salesforce, "ID field type" in the Object Reference.

const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// Key prefixes of the objects.
pub(super) mod prefix {
    pub const ACCOUNT: &str = "001";
    pub const CONTACT: &str = "003";
    pub const USER: &str = "005";
    pub const OPPORTUNITY: &str = "006";
    pub const HISTORY: &str = "008";
    pub const LEAD: &str = "00Q";
    pub const TASK: &str = "00T";
    pub const EVENT: &str = "00U";
    pub const LINE_ITEM: &str = "00k";
    pub const CAMPAIGN: &str = "701";
    pub const CAMPAIGN_MEMBER: &str = "00v";
    pub const PRODUCT: &str = "01t";
    pub const PRICE_ENTRY: &str = "01u";
    pub const STAGE: &str = "01J";
    pub const SPLIT: &str = "0SC";
    pub const PERIOD: &str = "026";
    pub const QUOTA: &str = "0J9";
    pub const TERRITORY: &str = "0MI";
    pub const TERRITORY_MEMBER: &str = "0Uu";
}

/// The 18-character id of record `number` of the object with this prefix.
pub(super) fn record_id(prefix: &str, number: usize) -> String {
    let mut serial = [b'0'; 7];
    let mut rest = number + 1;
    for place in serial.iter_mut().rev() {
        *place = BASE_62[rest % 62];
        rest /= 62;
    }
    let mut id = format!("{prefix}8d000");
    id.truncate(8);
    id.extend(serial.iter().map(|&byte| char::from(byte)));
    let checksum = checksum(&id);
    id.extend(checksum);
    id
}

/// The three characters that follow the 15 of `id`.
fn checksum(id: &str) -> [char; 3] {
    let bytes = id.as_bytes();
    std::array::from_fn(|block| {
        let bits = (0..5).fold(0usize, |bits, place| {
            bits | usize::from(bytes[block * 5 + place].is_ascii_uppercase()) << place
        });
        char::from(BASE_32[bits])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_published_examples() {
        assert_eq!(checksum("001A0000006Vm9r"), ['I', 'A', 'C']);
        assert_eq!(checksum("00Q000000000000"), ['E', 'A', 'A']);
    }

    #[test]
    fn ids_are_18_long_and_differ() {
        let ids: std::collections::BTreeSet<String> =
            (0..5000).map(|number| record_id(prefix::LEAD, number)).collect();
        assert_eq!(ids.len(), 5000);
        assert!(ids.iter().all(|id| id.len() == 18));
        assert_eq!(record_id("001", 9), "0018d000000000AAAQ");
    }
}
