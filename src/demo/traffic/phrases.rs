//! What people say: a few shops' worth of sentences in seven languages. `{p}` is a product, `{n}` a number.
use super::random;
use rand::{Rng, RngExt};

/// The sentences of one language.
pub struct Phrases {
    /// Products that are talked about.
    pub products: &'static [&'static str],
    /// A customer begins.
    pub openings: &'static [&'static str],
    /// The shop answers.
    pub answers: &'static [&'static str],
    /// The customer goes on.
    pub follow_ups: &'static [&'static str],
    /// The customer ends.
    pub closings: &'static [&'static str],
    /// The title of a button.
    pub button: &'static str,
}

/// Thai.
pub const THAI: Phrases = Phrases {
    products: &["เสื้อยืดสีกรมท่า", "กระเป๋าผ้า", "แก้วกาแฟ", "ครีมกันแดด"],
    openings: &["สวัสดีค่ะ {p} ยังมีของไหมคะ", "ขอทราบราคา {p} หน่อยครับ", "ออเดอร์ {n} ส่งหรือยังคะ 🙏", "{p} มีไซซ์ L ไหมครับ"],
    answers: &[
        "สวัสดีค่ะ มีพร้อมส่งค่ะ ราคา {n} บาท",
        "ส่งวันนี้ก่อนบ่ายสามโมงเลยค่ะ",
        "เลขพัสดุ TH{n} นะคะ",
        "ขออนุญาตเช็กสต็อกสักครู่นะคะ",
    ],
    follow_ups: &["รับ 2 ชิ้นค่ะ", "ค่าส่งเท่าไหร่คะ", "โอนแล้วนะครับ", "เก็บเงินปลายทางได้ไหม"],
    closings: &["ขอบคุณมากค่ะ 🙏", "ได้ของแล้วครับ สวยมาก", "โอเคค่า ❤️"],
    button: "คุยกับเจ้าหน้าที่",
};

/// Indonesian.
pub const INDONESIAN: Phrases = Phrases {
    products: &["kemeja batik", "sambal bawang", "tas rotan", "kopi Gayo 250 g"],
    openings: &[
        "Halo kak, {p} masih ada?",
        "Permisi, berapa harga {p}?",
        "Pesanan {n} kok belum sampai ya?",
        "Kak, {p} bisa dikirim hari ini?",
    ],
    answers: &[
        "Halo kak, masih ada ya. Harganya Rp{n}.000",
        "Siap kak, dikirim sore ini",
        "Nomor resinya JX{n} ya kak",
        "Mohon tunggu sebentar, kami cek dulu",
    ],
    follow_ups: &["Ongkir ke Bandung berapa?", "Saya ambil dua ya", "Sudah saya transfer", "Bisa COD?"],
    closings: &["Oke, makasih banyak kak 🙏", "Sudah sampai, mantap!", "Sip 👍"],
    button: "Bicara dengan admin",
};

/// Vietnamese.
pub const VIETNAMESE: Phrases = Phrases {
    products: &["áo dài lụa", "cà phê rang xay", "nón lá", "mật ong rừng"],
    openings: &[
        "Shop ơi, {p} còn hàng không ạ?",
        "Cho mình hỏi giá {p} với",
        "Đơn {n} của em giao chưa ạ?",
        "{p} có giao tận nơi không shop?",
    ],
    answers: &[
        "Dạ còn ạ, giá {n}.000đ nhé anh/chị",
        "Shop gửi trong chiều nay ạ",
        "Mã vận đơn VN{n} ạ",
        "Anh/chị chờ em kiểm tra một chút nhé",
    ],
    follow_ups: &["Phí ship bao nhiêu vậy?", "Lấy cho mình 2 cái", "Em chuyển khoản rồi nhé", "Có cho đổi trả không?"],
    closings: &["Cảm ơn shop nhiều ❤️", "Nhận được hàng rồi, đẹp lắm!", "Ok shop"],
    button: "Gặp nhân viên",
};

/// Malay.
pub const MALAY: Phrases = Phrases {
    products: &["baju kurung", "kuih raya", "tudung bawal", "serunding daging"],
    openings: &["Salam, {p} ada stok lagi?", "Berapa harga {p}?", "Order {n} dah pos ke belum?", "{p} saiz M ada?"],
    answers: &[
        "Ada lagi, harga RM{n} ya",
        "Kami pos petang ni",
        "Nombor tracking MY{n}",
        "Sekejap ya, saya semak dahulu",
    ],
    follow_ups: &["Postage berapa ke Sabah?", "Nak dua ya", "Dah bayar tadi", "Boleh ambil sendiri?"],
    closings: &["Terima kasih!", "Dah sampai, cantik sangat", "Ok baik 👍"],
    button: "Cakap dengan ejen",
};

/// Tagalog.
pub const TAGALOG: Phrases = Phrases {
    products: &["barong", "dried mangoes", "bayong bag", "kapeng barako"],
    openings: &[
        "Hi po, available pa po ba yung {p}?",
        "Magkano po ang {p}?",
        "Nasaan na po yung order {n} ko?",
        "Pwede po bang i-deliver bukas ang {p}?",
    ],
    answers: &[
        "Hello po! Available pa, ₱{n} po",
        "Ipapadala po namin mamayang hapon",
        "PH{n} po ang tracking number",
        "Sandali lang po, ichecheck namin",
    ],
    follow_ups: &["Magkano po ang shipping sa Cebu?", "Dalawa po sana", "Nagbayad na po ako", "May COD po ba?"],
    closings: &["Salamat po! 😊", "Natanggap ko na po, ang ganda!", "Sige po"],
    button: "Kausapin ang agent",
};

/// English.
pub const ENGLISH: Phrases = Phrases {
    products: &["blue mug", "linen shirt", "desk lamp", "ginger tea"],
    openings: &[
        "Hello, is the {p} back in stock?",
        "How much is the {p}?",
        "Where is my order {n}?",
        "Do you ship the {p} to Singapore?",
    ],
    answers: &[
        "It is! That would be ${n}.",
        "We ship this afternoon.",
        "Your tracking number is SG{n}.",
        "Let me check that for you.",
    ],
    follow_ups: &[
        "I'd like two, please",
        "What is the shipping fee?",
        "Just paid",
        "Can I return it if it doesn't fit?",
    ],
    closings: &["Thank you so much!", "It arrived, looks great 😍", "Perfect, thanks"],
    button: "Talk to a person",
};

/// Chinese.
pub const CHINESE: Phrases = Phrases {
    products: &["茉莉花茶", "手工皂", "羊毛圍巾", "鳳梨酥禮盒"],
    openings: &["你好，請問{p}還有貨嗎？", "{p}多少錢？", "我的訂單 {n} 寄出了嗎？", "{p}可以寄到台中嗎？"],
    answers: &["您好，有現貨，{n} 元", "今天下午幫您寄出", "物流單號 TW{n}", "請稍等，我幫您確認一下"],
    follow_ups: &["我要兩個", "運費怎麼算？", "已經付款了", "可以貨到付款嗎？"],
    closings: &["謝謝！👍", "收到了，很喜歡", "好的，辛苦了"],
    button: "聯絡客服",
};

/// All of them.
pub const ALL: [&Phrases; 7] = [&THAI, &INDONESIAN, &VIETNAMESE, &ENGLISH, &CHINESE, &MALAY, &TAGALOG];

/// One of the sentences, with its gaps filled.
pub fn fill(rng: &mut impl Rng, phrases: &Phrases, of: &[&str]) -> String {
    let sentence = random::pick(rng, of);
    let product = random::pick(rng, phrases.products);
    sentence.replace("{p}", product).replace("{n}", &rng.random_range(50..990).to_string())
}
