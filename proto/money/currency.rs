//! Currencies: the active codes of ISO 4217 with the decimals of their minor unit.

/// The active codes, by decimals. Metals, funds units without decimals and test codes are no money to pay with.
const TABLE: [(u32, &str); 4] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW \
         CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF \
         IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
         MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP \
         SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG \
         YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

/// Decimals of a currency's minor unit; none when the code is not an active one.
pub fn decimals(code: &str) -> Option<u32> {
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    let row = |(_, codes): &&(u32, &str)| codes.split(' ').any(|known| known == code);
    TABLE.iter().filter(|_| is_code).find(row).map(|(decimals, _)| *decimals)
}

pub fn all() -> impl Iterator<Item = (&'static str, u32)> {
    TABLE.iter().flat_map(|(decimals, codes)| codes.split(' ').map(move |code| (code, *decimals)))
}
