//! Every route of the hub, in one list.

pub mod history;
pub mod series;

use actix_web::{HttpResponse, web};

use crate::hub::Hub;

pub fn routes(app: &mut web::ServiceConfig) {
    app.route("/healthz", web::get().to(healthz));
}

async fn healthz(_hub: web::Data<Hub>) -> HttpResponse {
    HttpResponse::Ok().body("ok\n")
}
