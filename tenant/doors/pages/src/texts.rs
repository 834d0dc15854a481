//! Every text of the pages: one row for each text, English and German side by side.
//!
//! A text has at most one placeholder in braces. German has the polite form.

use crate::language::Language;

macro_rules! texts {
    ($($name:ident: $english:literal, $german:literal;)*) => {
        /// The texts of one language.
        pub(crate) struct Texts { $(pub(crate) $name: &'static str,)* }

        impl Texts {
            const ENGLISH: Self = Self { $($name: $english,)* };
            const GERMAN: Self = Self { $($name: $german,)* };

            /// Name of the text, English, German.
            #[cfg(test)]
            const ROWS: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $german),)*];

            /// The texts of a language.
            pub(crate) fn of(language: Language) -> &'static Self {
                match language {
                    Language::English => &Self::ENGLISH,
                    Language::German => &Self::GERMAN,
                }
            }
        }
    };
}

texts! {
    // On several pages.
    help: "Help", "Hilfe";
    get_help: "Get help", "Hilfe holen";
    back_to_application: "Back to {application}", "Zurück zu {application}";
    use_another_name: "Use another name", "Anderen Namen nutzen";
    sign_in: "Sign in", "Anmelden";
    sign_out: "Sign out", "Abmelden";

    // Sign-in.
    sign_in_to: "Sign in to {application}", "Bei {application} anmelden";
    user_name: "User name", "Benutzername";
    password: "Password", "Passwort";
    not_you: "Not you? Use another name", "Nicht Sie? Anderen Namen nutzen";
    wrong_password: "The user name or the password is wrong. Check both and try again. If both are right, wait a few minutes: after too many tries an account is locked for a while.",
        "Benutzername oder Passwort ist falsch. Bitte prüfen Sie beides und versuchen Sie es erneut. Wenn beides stimmt, warten Sie einige Minuten: Nach zu vielen Versuchen ist ein Konto eine Weile gesperrt.";
    too_many_tries: "There were too many tries. Wait a few minutes, then try again.",
        "Es gab zu viele Versuche. Bitte warten Sie einige Minuten und versuchen Sie es dann erneut.";
    password_expired: "Your password has expired or must be changed. Change it at a work computer, or ask your IT support.",
        "Ihr Passwort ist abgelaufen oder muss geändert werden. Ändern Sie es an einem Arbeitsplatzrechner, oder wenden Sie sich an Ihren IT-Support.";
    account_expired: "Your account has expired. Ask your IT support to renew it.",
        "Ihr Konto ist abgelaufen. Bitte lassen Sie es von Ihrem IT-Support verlängern.";
    not_assigned: "You cannot use this application with this account. Ask your IT support for access.",
        "Mit diesem Konto können Sie diese Anwendung nicht nutzen. Bitten Sie Ihren IT-Support um Zugang.";
    cannot_check: "Your password cannot be checked at the moment. Try again in a few minutes.",
        "Ihr Passwort kann im Moment nicht geprüft werden. Bitte versuchen Sie es in einigen Minuten erneut.";
    session_ended: "Your session has ended. Sign in again to continue.",
        "Ihre Sitzung ist beendet. Bitte melden Sie sich erneut an.";

    password_changed: "Your password was changed. Sign in with the new one.",
        "Ihr Passwort wurde geändert. Bitte melden Sie sich mit dem neuen an.";

    // Change of password.
    change_password: "Change password", "Passwort ändern";
    present_password: "Present password", "Bisheriges Passwort";
    new_password: "New password", "Neues Passwort";
    new_password_again: "New password again", "Neues Passwort wiederholen";
    cancel: "Cancel", "Abbrechen";
    rules: "Your new password must fit these rules:", "Ihr neues Passwort muss diesen Regeln entsprechen:";
    rule_length: "At least {count} characters", "Mindestens {count} Zeichen";
    rule_complex: "Three of these four: capital letters, small letters, digits, other characters. Your name is not in it.",
        "Drei von diesen vier: Großbuchstaben, Kleinbuchstaben, Ziffern, andere Zeichen. Ihr Name kommt darin nicht vor.";
    rule_history: "None of your last {count} passwords", "Keines Ihrer letzten {count} Passwörter";
    rule_age_days: "Days until you can change it again: {count}", "Tage, bis Sie es erneut ändern können: {count}";
    rule_age_hours: "Hours until you can change it again: {count}",
        "Stunden, bis Sie es erneut ändern können: {count}";
    change_required: "Your password has expired or must be changed. Choose a new one to go on.",
        "Ihr Passwort ist abgelaufen oder muss geändert werden. Bitte wählen Sie ein neues, um fortzufahren.";
    change_wrong_password: "The present password is wrong. Nothing was changed.",
        "Das bisherige Passwort ist falsch. Es wurde nichts geändert.";
    change_different: "The two new passwords are not the same. Type the new one twice.",
        "Die beiden neuen Passwörter sind nicht gleich. Bitte geben Sie das neue zweimal ein.";
    change_same: "The new password is the present one. Choose another.",
        "Das neue Passwort ist das bisherige. Bitte wählen Sie ein anderes.";
    change_too_long: "The new password is too long. Choose one with at most 256 characters.",
        "Das neue Passwort ist zu lang. Bitte wählen Sie eines mit höchstens 256 Zeichen.";
    change_too_short: "The new password is too short. It needs at least {count} characters.",
        "Das neue Passwort ist zu kurz. Es braucht mindestens {count} Zeichen.";
    change_in_history: "You had this password before. The new one must be none of your last {count}.",
        "Dieses Passwort hatten Sie schon. Das neue darf keines Ihrer letzten {count} sein.";
    change_not_complex: "The new password is too simple, or your name is in it. Use capital letters, small letters, digits and other characters.",
        "Das neue Passwort ist zu einfach, oder Ihr Name kommt darin vor. Nutzen Sie Groß- und Kleinbuchstaben, Ziffern und andere Zeichen.";
    change_not_permitted: "You may not change this password, or not so soon after the last change. Try again in a day, or ask your IT support.",
        "Sie dürfen dieses Passwort nicht ändern, oder nicht so bald nach der letzten Änderung. Bitte versuchen Sie es in einem Tag erneut, oder wenden Sie sich an Ihren IT-Support.";
    change_against_rules: "The new password does not fit the rules, or the last change was too short a time ago. Nothing was changed.",
        "Das neue Passwort entspricht nicht den Regeln, oder die letzte Änderung ist zu kurz her. Es wurde nichts geändert.";
    change_refused: "The new password was refused. The directory says: {words}",
        "Das neue Passwort wurde abgelehnt. Das Verzeichnis sagt: {words}";
    change_impossible: "Your password cannot be changed at the moment. Nothing was changed. Try again in a few minutes.",
        "Ihr Passwort kann im Moment nicht geändert werden. Es wurde nichts geändert. Bitte versuchen Sie es in einigen Minuten erneut.";
    change_not_known: "It is not known whether your password was changed. Sign in with the new password. If that does not work, sign in with the old one.",
        "Es ist nicht bekannt, ob Ihr Passwort geändert wurde. Melden Sie sich mit dem neuen Passwort an. Wenn das nicht geht, melden Sie sich mit dem alten an.";
    change_done: "Your password was changed. All your other sessions have ended.",
        "Ihr Passwort wurde geändert. Alle anderen Sitzungen sind beendet.";
    change_off: "You cannot change your password here. Change it at a work computer, or ask your IT support.",
        "Hier können Sie Ihr Passwort nicht ändern. Ändern Sie es an einem Arbeitsplatzrechner, oder wenden Sie sich an Ihren IT-Support.";

    // A device without a browser.
    device_title: "Sign in on a device", "Auf einem Gerät anmelden";
    device_intro: "Type the code that the device shows.", "Bitte geben Sie den Code ein, den das Gerät anzeigt.";
    device_code: "Code", "Code";
    device_wrong_code: "This code is wrong, or its time is over. Check it and try again, or start again on the device.",
        "Dieser Code ist falsch, oder seine Zeit ist abgelaufen. Bitte prüfen Sie ihn und versuchen Sie es erneut, oder beginnen Sie auf dem Gerät von vorn.";
    device_question: "Sign in to {application} on a device?", "Auf einem Gerät bei {application} anmelden?";
    device_warning: "Allow this only if you started it yourself and see this code on a device in front of you. Never allow a code from a message or a call: its sender would be signed in as you.",
        "Erlauben Sie das nur, wenn Sie es selbst begonnen haben und diesen Code auf einem Gerät vor sich sehen. Erlauben Sie nie einen Code aus einer Nachricht oder einem Anruf: Der Absender wäre dann unter Ihrem Namen angemeldet.";
    device_details: "Where the device is", "Wo das Gerät ist";
    device_address: "Address", "Adresse";
    device_at: "Started", "Begonnen";
    device_allow: "Allow", "Erlauben";
    device_refuse: "Refuse", "Ablehnen";
    device_allowed_title: "The device may sign in to {application}", "Das Gerät darf sich bei {application} anmelden";
    device_allowed: "Go back to the device. It continues by itself within a few seconds. You can close this page.",
        "Kehren Sie zum Gerät zurück. Es geht dort in wenigen Sekunden von selbst weiter. Diese Seite können Sie schließen.";
    device_refused_title: "The device may not sign in to {application}",
        "Das Gerät darf sich nicht bei {application} anmelden";
    device_refused: "You have refused it. If you did not start this yourself, tell your IT support.",
        "Sie haben abgelehnt. Wenn Sie das nicht selbst begonnen haben, benachrichtigen Sie Ihren IT-Support.";

    // No access.
    no_access_title: "No access", "Kein Zugang";
    no_access_to: "No access to {application}", "Kein Zugang zu {application}";
    no_access_not_assigned: "This application is not assigned to you.", "Diese Anwendung ist Ihnen nicht zugewiesen.";
    no_access_account: "Your account cannot be used at the moment.", "Ihr Konto kann im Moment nicht benutzt werden.";
    no_access_application: "This application is switched off at the moment.",
        "Diese Anwendung ist im Moment abgeschaltet.";
    signed_in_as: "Signed in as {name}", "Angemeldet als {name}";
    ask_for_access: "If you need it for your work, ask your IT support for access.",
        "Wenn Sie sie für Ihre Arbeit brauchen, bitten Sie Ihren IT-Support um Zugang.";
    ask_about_account: "Ask your IT support what to do.", "Bitte wenden Sie sich an Ihren IT-Support.";
    try_later: "Try again later, or ask your IT support.",
        "Bitte versuchen Sie es später erneut, oder wenden Sie sich an Ihren IT-Support.";

    // A wrong request.
    request_error_title: "This sign-in does not work", "Diese Anmeldung funktioniert nicht";
    expired_title: "This page is too old", "Diese Seite ist zu alt";
    not_found_title: "This page does not exist", "Diese Seite gibt es nicht";
    failure_title: "Something went wrong", "Etwas ist schiefgegangen";
    unknown_application: "The application that sent you here is not known.",
        "Die Anwendung, die Sie hierher geschickt hat, ist nicht bekannt.";
    wrong_return: "The application asked to send you back to an address that is not registered for it. To protect you, the sign-in stops here.",
        "Die Anwendung wollte Sie an eine Adresse zurückschicken, die für sie nicht eingetragen ist. Zu Ihrem Schutz endet die Anmeldung hier.";
    malformed_request: "The application sent a request that is incomplete or wrong.",
        "Die Anwendung hat eine unvollständige oder falsche Anfrage geschickt.";
    expired_request: "The sign-in was started too long ago, or it was already used.",
        "Die Anmeldung wurde vor zu langer Zeit begonnen oder bereits verwendet.";
    forged_form: "The form did not come from this site, or it was open for too long.",
        "Das Formular kam nicht von dieser Seite oder war zu lange geöffnet.";
    not_found: "Check the address, or open the application again.",
        "Bitte prüfen Sie die Adresse, oder öffnen Sie die Anwendung erneut.";
    failure: "Your request could not be answered. Try again in a few minutes.",
        "Ihre Anfrage konnte nicht beantwortet werden. Bitte versuchen Sie es in einigen Minuten erneut.";
    tell_support: "You cannot fix this yourself. Pass the details below to your IT support.",
        "Sie selbst können daran nichts ändern. Bitte geben Sie die folgenden Angaben an Ihren IT-Support weiter.";
    start_again: "Open the application again and sign in there.",
        "Bitte öffnen Sie die Anwendung erneut, und melden Sie sich dort an.";
    for_the_administrator: "For the administrator", "Für die Administration";
    error_code: "Code", "Code";
    error_application: "Application", "Anwendung";
    error_detail: "Detail", "Einzelheit";
    error_reference: "Reference", "Kennung";

    // Sign-out.
    signed_out_title: "You are signed out", "Sie sind abgemeldet";
    signed_out: "An application may keep you signed in until you close it. On a shared computer, close the browser.",
        "Manche Anwendungen bleiben angemeldet, bis Sie sie schließen. Schließen Sie an gemeinsam genutzten Rechnern den Browser.";
    sign_in_again: "Sign in again", "Erneut anmelden";
    sign_out_title: "Sign out of everything?", "Überall abmelden?";
    sign_out_question: "This ends your session here. Applications that are open may ask you to sign in again.",
        "Damit endet Ihre Sitzung hier. Geöffnete Anwendungen können eine neue Anmeldung verlangen.";
    stay_signed_in: "Stay signed in", "Angemeldet bleiben";

    // A person's own page.
    account_title: "Your account", "Ihr Konto";
    password_expires: "Days until your password expires: {count}", "Tage, bis Ihr Passwort abläuft: {count}";
    applications: "Applications", "Anwendungen";
    no_applications: "No application is assigned to you.", "Ihnen ist keine Anwendung zugewiesen.";
    sessions: "Sessions and devices", "Sitzungen und Geräte";
    no_sessions: "You have no open session.", "Sie haben keine offene Sitzung.";
    this_session: "This session", "Diese Sitzung";
    since: "Signed in {time}", "Angemeldet {time}";
    last_used: "Last used {time}", "Zuletzt benutzt {time}";
    end_session: "End", "Beenden";
    end_other_sessions: "End all others", "Alle anderen beenden";
    recent_sign_ins: "Recent sign-ins", "Letzte Anmeldungen";
    no_sign_ins: "There are no sign-ins yet.", "Es gibt noch keine Anmeldungen.";
    unknown_sign_in: "Is there a sign-in that was not yours? Change your password and tell your IT support.",
        "War eine Anmeldung nicht von Ihnen? Ändern Sie Ihr Passwort, und benachrichtigen Sie Ihren IT-Support.";
    own_page: "This page", "Diese Seite";
    outcome_signed_in: "Signed in", "Angemeldet";
    outcome_wrong_password: "Wrong password", "Falsches Passwort";
    outcome_too_many_tries: "Too many tries", "Zu viele Versuche";
    outcome_password_expired: "Password expired", "Passwort abgelaufen";
    outcome_account: "Account not usable", "Konto nicht nutzbar";
    outcome_not_assigned: "Application not assigned", "Anwendung nicht zugewiesen";
    outcome_refused: "Refused", "Abgelehnt";
    outcome_cannot_check: "Password could not be checked", "Passwort nicht prüfbar";

    // Posting an answer to an application.
    form_post_title: "Continue to {application}", "Weiter zu {application}";
    form_post: "You are signed in. If the application does not open by itself, select Continue.",
        "Sie sind angemeldet. Wenn sich die Anwendung nicht von selbst öffnet, wählen Sie Weiter.";
    continue_to_application: "Continue", "Weiter";
}

#[cfg(test)]
mod tests {
    use super::Texts;

    /// What stands in braces in a text.
    fn placeholders(text: &str) -> Vec<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn every_text_is_there_in_both_languages_with_the_same_placeholder() {
        for (name, english, german) in Texts::ROWS {
            for text in [english, german] {
                assert!(!text.is_empty() && text.trim() == *text, "{name}: {text:?}");
                assert!(
                    !text.contains("  ") && !text.contains(['<', '>', '&', '"', '\'']),
                    "{name}: {text:?}"
                );
                assert_eq!(text.matches('{').count(), text.matches('}').count(), "{name}: {text:?}");
            }
            assert_eq!(placeholders(english), placeholders(german), "{name}");
            assert!(placeholders(english).len() <= 1, "{name}");
        }
    }

    #[test]
    fn a_sentence_ends_in_both_languages_or_in_none() {
        for (name, english, german) in Texts::ROWS {
            assert_eq!(english.ends_with(['.', '?']), german.ends_with(['.', '?']), "{name}");
        }
    }

    #[test]
    fn german_has_the_polite_form() {
        let familiar = [" du ", " dich ", " dein", " dir ", " bitte gib", " euer"];
        for (name, _, german) in Texts::ROWS {
            let text = format!(" {} ", german.to_lowercase());
            assert!(!familiar.iter().any(|word| text.contains(word)), "{name}: {german}");
        }
    }
}
