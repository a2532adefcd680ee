//! Without a mail server mails are files, as under `comptoir dev`.

use super::server::header;
use anyhow::ensure;
use kit::shop::{TIMEOUT, id, place, product};
use kit::{Client, Stack, StackOptions, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_dev_a_mail_is_a_file_of_its_own_in_the_data_directory() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 10).await;
    let (customer, user) = Client::register(&stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    let staff = Client::staff(&stack).await;
    let mail = eventually(TIMEOUT, || async {
        let page = staff.get(&format!("/v1/emails?userId={}", id(&user, "userId"))).await.expect(200);
        let mail = page["emails"][0].clone();
        ensure!(mail["state"] == "SENT", "{page}");
        Ok(mail)
    })
    .await;
    let files: Vec<_> = std::fs::read_dir(stack.data().join("mail")).expect("it is there").flatten().collect();
    let names: Vec<String> = files.iter().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names, [format!("{}.eml", id(&mail, "emailId"))]);
    let text = std::fs::read_to_string(files[0].path()).expect("it can be read");
    assert_eq!(header(&text, "To"), format!("\"Test Customer\" <{}>", id(&user, "email")));
    assert!(header(&text, "Subject").contains(id(&order, "orderId")), "{text}");
    stack.stop().await;
}
