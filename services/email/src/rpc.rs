//! The RPCs: parse, call, reply.

use crate::{
    content::{self, Pages},
    convert,
    domain::Template,
    erasure::Eraser,
    error::Error,
    language::Language,
    store::{Emails, Filter},
    templates::Templates,
};
use ::rpc::{status, validated};
use ::store::{Pager, limit};
use contracts::email::v1::{
    Email, EmailPreview, GetEmailRequest, ListEmailsRequest, ListEmailsResponse, PreviewEmailRequest,
    email_service_server::EmailService,
};
use contracts::erasure::v1::{EraseUserDataRequest, ErasureReceipt};
use lettre::message::Mailbox;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub struct Handler {
    pub emails: Emails,
    pub templates: Arc<Templates>,
    pub from: Mailbox,
    /// The shop's pages that mails link to.
    pub pages: Option<Pages>,
    pub pager: Pager,
    pub eraser: Eraser,
}

#[tonic::async_trait]
impl EmailService for Handler {
    async fn list_emails(&self, request: Request<ListEmailsRequest>) -> Result<Response<ListEmailsResponse>, Status> {
        let request = validated(request)?;
        let filter = Filter {
            user_id: Some(request.user_id.clone()).filter(|user_id| !user_id.is_empty()),
            state: convert::state(request.state()),
            template: convert::template(request.template()),
        };
        let scope = format!("{}/{}/{}", request.user_id, request.state, request.template);
        let limit = limit(request.page_size);
        let after = self.pager.after(&scope, &request.page_token).map_err(status::page_token)?;
        let found = self.emails.list(&filter, after, limit).await.map_err(Error::from)?;
        let (emails, next_page_token) =
            self.pager.page(&scope, found, |email| (email.id.clone(), convert::to_wire(email)));
        Ok(Response::new(ListEmailsResponse { emails, next_page_token }))
    }

    async fn get_email(&self, request: Request<GetEmailRequest>) -> Result<Response<Email>, Status> {
        let id = validated(request)?.email_id;
        let found = self.emails.find(&id).await.map_err(Error::from)?.ok_or(Error::NotFound(id))?;
        Ok(Response::new(convert::to_wire(found)))
    }

    async fn preview_email(&self, request: Request<PreviewEmailRequest>) -> Result<Response<EmailPreview>, Status> {
        let request = validated(request)?;
        let template = convert::template(request.template()).unwrap_or(Template::OrderConfirmed);
        let language = Language::of(&request.language);
        let content = content::sample(template, language, self.pages.as_ref(), &self.from);
        let rendered = self.templates.render(template, language, &content).map_err(Error::from)?;
        Ok(Response::new(EmailPreview {
            language: language.code().to_owned(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
        }))
    }

    async fn erase_user_data(
        &self,
        request: Request<EraseUserDataRequest>,
    ) -> Result<Response<ErasureReceipt>, Status> {
        let erased = self.eraser.erase(&validated(request)?.user_id).await?;
        Ok(Response::new(erased.receipt("email")))
    }
}
